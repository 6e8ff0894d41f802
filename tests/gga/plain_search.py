"""The search as it reads in the paper, with nothing saved: what the fast one has to equal."""

import itertools

import torch


def similarity(losses, measured):
    flat = [torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, measured)]) for loss in losses]
    # By sqrt, as the search: torch.linalg.norm rounds otherwise, which decides where a candidate only stretches
    # gradients and the cosines are equal but for rounding.
    lengths = [torch.dot(a, a).sqrt() for a in flat]
    pairs = itertools.combinations(range(len(flat)), 2)
    return torch.stack([torch.dot(flat[i], flat[j]) / (lengths[i] * lengths[j]) for i, j in pairs]).min()


def plain_search(loss, domains, moved, measured, noise, *, rho, steps, tolerance, proposal):
    """`loss(domains, candidate)` is the loss of the pooled samples of these domains. Returns who was accepted."""
    theta0 = [p.detach().clone() for p in moved.values()]
    best, accepted = theta0, []
    best_sim = torch.nan_to_num(similarity([loss([d], -1) for d in range(domains)], measured), nan=-1.0)
    best_loss = loss(range(domains), -1).detach()
    for candidate in range(steps):
        with torch.no_grad():
            for name, p in moved.items():
                p.add_(noise(candidate, name, p), alpha=rho)
        sim = similarity([loss([d], candidate) for d in range(domains)], measured)
        union = loss(range(domains), candidate).detach()
        if union - best_loss < tolerance and sim > best_sim:
            best, best_sim, best_loss = [p.detach().clone() for p in moved.values()], sim, union
            accepted.append(candidate)
            assign(moved, theta0 if proposal == "walk" else best)
        elif proposal == "best":
            assign(moved, best)
    assign(moved, best)
    return accepted


def assign(moved, values):
    with torch.no_grad():
        for p, value in zip(moved.values(), values, strict=True):
            p.copy_(value)
