"""A testbed for domain generalization that behaves like DomainBed (Gulrajani & Lopez-Paz, ICLR 2021)."""
