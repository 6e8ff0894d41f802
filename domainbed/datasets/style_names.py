"""Which drawings `Styles` consists of: for each class, emoji by character and icons by the name in their font."""

# Drawn by both OpenMoji and Noto Emoji.
EMOJI = {
    "animal": (
        "🐀🐁🐂🐃🐄🐅🐆🐇🐈🐉🐊🐋🐌🐍🐎🐏🐐🐑🐒🐓🐔🐕🐖🐗🐘🐙🐛🐜🐝🐞🐟🐠🐡🐢🐣🐤🐥🐦🐧🐨🐩🐪🐫🐬🐭🐮🐯🐰🐱🐲"
        "🐳🐴🐵🐶🐷🐸🐹🐺🐻🐼🐿🕊🕷🙈🙉🙊🦀🦁🦂🦃🦄🦅🦆🦇🦈🦉🦊🦋🦌🦍🦎🦏🦐🦑🦒🦓🦔🦕🦖🦗🦘🦙🦚🦛🦜🦝🦞🦟🦡🦢"
        "🦣🦤🦥🦦🦧🦨🦩🦫🦬🦭🦮🪰🪱🪲🪳🪿🫎🫏🪼"
    ),
    "building": "🏠🏡🏘🏚🏛🏗🏢🏣🏤🏥🏦🏨🏩🏪🏫🏬🏭🏯🏰💒🗼🗽⛪🕌🛕🕍⛩🕋⛺🎪🏟🛖🌉🏙🌆🌇🏕",
    "device": "📱📲☎📞📟📠🔋🔌💻🖥🖨⌨🖱🖲💽💾💿📀📺📷📸📹📼🎥📽🎦📡🪫",
    "document": "✉📁📂📃📄📅📆📇📈📉📊📋📑📒📓📔📕📖📗📘📙📚📜📝📧📨📩📪📫📬📭📰🔖🗂🗃🗄🗒🗓🗞🗳🧾🗺",
    "face": (
        "😀😁😂😃😄😅😆😇😈😉😊😋😌😍😎😏😐😑😒😓😔😕😖😗😘😙😚😛😜😝😞😟😠😡😢😣😤😥😦😧😨😩😪😫😬😭😮😯😰😱"
        "😲😳😴😵😶😷🙁🙂🙃🙄🤐🤑🤒🤓🤔🤕🤖🤗🤠🤡🤢🤣🤤🤥🤧🤨🤩🤪🤫🤬🤭🤮🤯🥰🥱🥲🥳🥴🥵🥶🥸🥹🥺🧐🫠🫡🫢🫣🫤🫥"
        "☹☺"
    ),
    "food": (
        "🌭🌮🌯🌰🌶🌽🍅🍆🍇🍈🍉🍊🍋🍌🍍🍎🍏🍐🍑🍒🍓🍔🍕🍖🍗🍘🍙🍚🍛🍜🍝🍞🍟🍠🍡🍢🍣🍤🍥🍦🍧🍨🍩🍪🍫🍬🍭🍮🍯🍰"
        "🍱🍲🍳🍴🍵🍶🍷🍸🍹🍺🍻🍼🍽🍾🍿🎂☕🥂🥃🥄🥐🥑🥒🥓🥔🥕🥖🥗🥘🥙🥚🥛🥜🥝🥞🥟🥠🥡🥢🥣🥤🥥🥦🥧🥨🥩🥪🥫🥬🥭"
        "🥮🥯🦪🧀🧁🧂🧃🧄🧅🧆🧇🧈🧉🧊🧋🫐🫑🫒🫓🫔🫕🫖🫗🫘🫙🫚🫛"
    ),
    "hand": "👆👇👈👉👊👋👌👍👎👏👐🙌🙏🤏🤘🤙🤚🤛🤜🤝🤞🤟🤲✊✋✌✍☝🖐🖕🖖🤌🫰🫱🫲🫳🫴🫵🫶🫷🫸💪💅🤳",
    "person": (
        "👤👥👦👧👨👩👫👮👯👰👱👲👳👴👵👶👷👸👼💁💂💃💆💇💏💑🙅🙆🙇🙋🙍🙎🕴🕵🚣🚴🚵🚶🏂🏃🏄🏇🏊🏋🏌🤦🤰"
        "🤱🤵🤷🤸🤹🤺🤼🤽🤾🥷🦸🦹🧍🧎🧏🧑🧒🧓🧔🧕🧖🧗🧘🧙🧚🧛🧜🧝🧞🧟🎅🗣🫂⛷⛹🛀🛌👪🧌"
    ),
    "sound": "🎤🎧🎙🎚🎛🎵🎶🎷🎸🎹🎺🎻🎼📯📻🔈🔉🔊🥁🪕🪗🪘🪇🪈🔇📢📣",
    "time": "🕐🕑🕒🕓🕔🕕🕖🕗🕘🕙🕚🕛🕜🕝🕞🕟🕠🕡🕢🕣🕤🕥🕦🕧⌚⌛⏰⏱⏲⏳🕰",
    "tool": "🔨🪓⛏⚒🛠🗡⚔🪚🔧🪛🔩🗜🪝🧰🧲🪜✂🖊🖋✒🖌🖍✏📏📐🔪🔬🔭🧹🪣⚙🪒🪡🧵🧷🪥🔦📎🖇📌📍🧪🧫🩺",
    "vehicle": (
        "🚀🚁🚂🚃🚄🚅🚆🚇🚈🚉🚊🚋🚌🚍🚎🚐🚑🚒🚓🚔🚕🚖🚗🚘🚙🚚🚛🚜🚝🚞🚟🚠🚡🚢🚤🚲🛥🛩🛫🛬🛰🛳🛴🛵🛶🛸🛹🛺🛻🛼🏍🏎✈⛴⛵🛷"
    ),
    "weather": "☀☁☂☃☄☔⚡⛄⛅⛈❄🌀🌂🌈🌊🌑🌒🌓🌔🌕🌖🌗🌘🌙🌛🌜🌞🌡🌤🌥🌦🌧🌨🌩🌪🌫🌬🌅🌄⛱",
}

# Filled icons; where a font has several weights, the names are without the suffix of the filled one.
FONT_AWESOME = {
    "animal": (
        "bug bugs cat cow crow dog dove dragon fish fish-fins frog hippo horse horse-head kiwi-bird locust mosquito "
        "otter shrimp spider worm"
    ),
    "building": (
        "archway bridge bridge-water building building-columns building-flag campground church city dungeon gopuram "
        "hospital hotel house house-chimney house-chimney-crack house-chimney-medical house-chimney-window "
        "house-tsunami igloo industry kaaba landmark landmark-dome landmark-flag monument mosque place-of-worship "
        "school school-flag shop store synagogue tent tents torii-gate vihara warehouse"
    ),
    "device": (
        "battery-empty battery-full battery-half battery-quarter battery-three-quarters calculator camera "
        "camera-retro computer computer-mouse desktop fax floppy-disk hard-drive keyboard laptop laptop-code memory "
        "mobile mobile-button mobile-retro mobile-screen mobile-screen-button phone phone-flip print sd-card server "
        "sim-card tablet tablet-button tablet-screen-button tv video walkie-talkie"
    ),
    "document": (
        "address-book book book-atlas book-bible book-bookmark book-journal-whills book-medical book-quran "
        "book-skull book-tanakh bookmark calendar calendar-day calendar-days calendar-week clipboard clipboard-list "
        "envelope file file-contract file-fragment file-invoice file-invoice-dollar file-lines file-medical "
        "file-prescription file-signature file-waveform folder folder-closed map newspaper notes-medical receipt "
        "scroll scroll-torah"
    ),
    "face": (
        "face-angry face-dizzy face-flushed face-frown face-frown-open face-grimace face-grin face-grin-beam "
        "face-grin-beam-sweat face-grin-hearts face-grin-squint face-grin-squint-tears face-grin-stars "
        "face-grin-tears face-grin-tongue face-grin-tongue-squint face-grin-tongue-wink face-grin-wide "
        "face-grin-wink face-kiss face-kiss-beam face-kiss-wink-heart face-laugh face-laugh-beam face-laugh-squint "
        "face-laugh-wink face-meh face-meh-blank face-rolling-eyes face-sad-cry face-sad-tear face-smile "
        "face-smile-beam face-smile-wink face-surprise face-tired robot"
    ),
    "food": (
        "apple-whole bacon beer-mug-empty blender bottle-water bowl-food bowl-rice bread-slice burger cake-candles "
        "candy-cane carrot champagne-glasses cheese cookie cookie-bite drumstick-bite egg glass-water hotdog "
        "ice-cream jar-wheat lemon martini-glass martini-glass-citrus martini-glass-empty mug-hot mug-saucer "
        "pepper-hot pizza-slice spoon stroopwafel utensils wheat-awn whiskey-glass wine-bottle wine-glass "
        "wine-glass-empty"
    ),
    "hand": (
        "hand hand-back-fist hand-dots hand-fist hand-holding hand-holding-dollar hand-holding-droplet "
        "hand-holding-hand hand-holding-heart hand-holding-medical hand-lizard hand-middle-finger hand-peace "
        "hand-point-down hand-point-left hand-point-right hand-point-up hand-pointer hand-sparkles hand-spock hands "
        "hands-asl-interpreting hands-bound hands-bubbles hands-clapping hands-holding hands-holding-circle "
        "hands-praying handshake handshake-angle handshake-simple thumbs-down thumbs-up"
    ),
    "person": (
        "baby child child-dress child-reaching children people-group people-line person person-biking "
        "person-breastfeeding person-cane person-digging person-dress person-drowning person-hiking person-praying "
        "person-pregnant person-running person-skating person-skiing person-skiing-nordic person-snowboarding "
        "person-swimming person-walking person-walking-luggage person-walking-with-cane user user-astronaut "
        "user-doctor user-graduate user-group user-injured user-ninja user-nurse user-secret user-tie users"
    ),
    "sound": (
        "bullhorn drum drum-steelpan guitar headphones headphones-simple headset microphone microphone-lines music "
        "radio volume-high volume-low"
    ),
    "time": "clock clock-rotate-left hourglass hourglass-end hourglass-half hourglass-start stopwatch stopwatch-20",
    "tool": (
        "broom broom-ball brush bucket compass-drafting eraser eye-dropper gavel hammer highlighter magnet "
        "microscope paint-roller paintbrush paperclip pen pen-clip pen-fancy pen-nib pen-ruler pencil ruler "
        "ruler-combined ruler-horizontal ruler-vertical scissors screwdriver screwdriver-wrench spray-can "
        "stethoscope syringe thumbtack toolbox trowel wrench"
    ),
    "vehicle": (
        "anchor bicycle bus bus-simple cable-car car car-rear car-side caravan ferry helicopter jet-fighter "
        "jet-fighter-up motorcycle plane plane-arrival plane-departure plane-up rocket sailboat ship shuttle-space "
        "snowplow taxi tractor trailer train train-subway train-tram truck truck-fast truck-field truck-front "
        "truck-medical truck-monster truck-moving truck-pickup van-shuttle"
    ),
    "weather": (
        "bolt bolt-lightning cloud cloud-bolt cloud-moon cloud-moon-rain cloud-rain cloud-showers-heavy "
        "cloud-showers-water cloud-sun cloud-sun-rain hurricane meteor moon rainbow smog snowflake snowman sun "
        "temperature-empty temperature-full temperature-half temperature-high temperature-low temperature-quarter "
        "temperature-three-quarters thermometer tornado umbrella wind"
    ),
}

PHOSPHOR = {
    "animal": "bird bug-beetle bug cat dog fish horse paw-print",
    "building": "bank buildings factory house house-line storefront",
    "device": (
        "battery-empty battery-full battery-high battery-low battery-medium calculator camera desktop desktop-tower "
        "device-mobile-camera device-mobile device-tablet-camera device-tablet floppy-disk-back floppy-disk "
        "hard-drive keyboard laptop monitor mouse phone printer sim-card television video-camera"
    ),
    "document": (
        "address-book article book-bookmark book book-open bookmark calendar clipboard clipboard-text envelope "
        "envelope-open file file-text folder folder-open newspaper-clipping newspaper note notebook notepad receipt"
    ),
    "face": "robot smiley-blank smiley smiley-meh smiley-nervous smiley-sad smiley-wink smiley-x-eyes",
    "food": "brandy cake coffee cookie fork-knife martini pizza wine",
    "hand": (
        "hand hand-fist hand-grabbing hand-palm hand-pointing hand-waving hands-clapping handshake thumbs-down "
        "thumbs-up"
    ),
    "person": (
        "baby person person-simple person-simple-run person-simple-walk student user users users-four users-three"
    ),
    "sound": "headphones headset megaphone microphone music-note music-notes radio speaker-high speaker-low",
    "time": (
        "alarm clock-clockwise clock-counter-clockwise clock hourglass hourglass-high hourglass-low "
        "hourglass-medium timer watch"
    ),
    "tool": (
        "eyedropper flashlight knife magnet paint-brush-broad paint-brush paint-brush-household paint-bucket "
        "paint-roller paperclip pen pen-nib pen-nib-straight pencil push-pin push-pin-simple ruler scissors wrench"
    ),
    "vehicle": (
        "airplane airplane-in-flight airplane-landing airplane-takeoff bicycle boat bus car car-simple jeep rocket "
        "rocket-launch train train-regional truck"
    ),
    "weather": (
        "cloud cloud-fog cloud-lightning cloud-moon cloud-rain cloud-snow cloud-sun lightning moon moon-stars "
        "rainbow-cloud rainbow snowflake sun-dim sun sun-horizon thermometer-cold thermometer thermometer-hot "
        "umbrella wind"
    ),
}

REMIX = {
    "animal": "bug-2 bug",
    "building": (
        "ancient-gate ancient-pavilion bank building-2 building-3 building-4 building home-2 home-3 home-4 home-5 "
        "home-6 home-7 home-8 home hospital hotel store-2 store-3 store"
    ),
    "device": (
        "battery-2-charge battery-2 battery calculator camera-2 camera-3 camera cellphone computer device film "
        "hard-drive-2 hard-drive keyboard-box keyboard mac macbook mouse phone-camera phone printer router sd-card "
        "sd-card-mini server sim-card-2 sim-card smartphone tablet tv-2 tv u-disk vidicon-2 vidicon webcam"
    ),
    "document": (
        "article book-2 book-3 book book-open book-read booklet calendar-2 calendar calendar-todo clipboard draft "
        "file-2 file-3 file-4 file file-info file-list-2 file-list-3 file-list file-paper-2 file-paper file-text "
        "folder-2 folder-3 folder-4 folder-5 folder folder-open health-book mail mail-open newspaper sticky-note-2 "
        "sticky-note"
    ),
    "face": "emotion-2 emotion emotion-happy emotion-laugh emotion-normal emotion-sad emotion-unhappy robot",
    "food": "cake-2 cake-3 cake cup goblet restaurant-2 restaurant",
    "hand": "thumb-down thumb-up",
    "person": "group-2 group men parent run user-2 user-3 user-4 user-5 user-6 user user-smile walk women",
    "sound": (
        "headphone mic-2 mic music-2 music radio-2 radio speaker-2 speaker-3 speaker volume-down volume-mute volume-up"
    ),
    "time": "alarm history time timer-2 timer timer-flash",
    "tool": (
        "ball-pen brush-2 brush-3 brush-4 brush hammer knife mark-pen paint-brush paint palette pen-nib pencil "
        "pencil-ruler-2 pencil-ruler pushpin-2 pushpin quill-pen ruler-2 ruler scissors-2 scissors-cut scissors "
        "stethoscope syringe tools"
    ),
    "vehicle": (
        "bike bus-2 bus car caravan e-bike-2 e-bike motorbike plane police-car rocket-2 rocket sailboat ship-2 ship "
        "space-ship subway taxi train truck"
    ),
    "weather": (
        "cloud cloud-windy cloudy-2 cloudy drizzle foggy hail haze-2 haze heavy-showers mist moon-clear moon-cloudy "
        "moon moon-foggy rainbow rainy showers snowy sun-cloudy sun sun-foggy temp-cold temp-hot thermometer "
        "thunderstorms tornado typhoon umbrella windy"
    ),
}

ELUSIVE = {
    "animal": "guidedog",
    "building": "home home-alt",
    "document": "address-book book bookmark calendar envelope file folder",
    "face": "smiley smiley-alt",
    "food": "fork glass",
    "hand": "hand-down hand-left hand-right hand-up thumbs-down thumbs-up asl",
    "person": "adult child group torso user",
    "sound": "bullhorn headphones mic music speaker volume-down volume-up",
    "time": "time time-alt hourglass",
    "tool": "broom brush magnet paper-clip pencil scissors wrench",
    "vehicle": "car plane",
    "weather": "cloud cloud-alt",
}

MATERIAL = {
    "animal": (
        "bat bee bird bug butterfly cat cow dog dog-side dolphin donkey duck elephant fish horse horse-variant "
        "horse-variant-fast jellyfish kangaroo koala ladybug owl panda penguin pig pig-variant rabbit "
        "rabbit-variant rodent shark sheep snail snake spider turkey turtle unicorn unicorn-variant"
    ),
    "building": (
        "bank barn bridge castle church city city-variant eiffel-tower factory garage garage-open "
        "garage-open-variant garage-variant greenhouse home home-city home-modern home-roof home-variant hospital "
        "hospital-building lighthouse lighthouse-on mosque office-building pier pier-crane school silo stadium "
        "stadium-variant store store-24-hour storefront synagogue temple-buddhist temple-hindu tent town-hall "
        "warehouse"
    ),
    "device": (
        "battery calculator camera camera-document camera-image cctv cellphone cellphone-basic cellphone-dock "
        "cpu-32-bit cpu-64-bit deskphone desktop-classic disc fax floppy floppy-variant harddisk "
        "integrated-circuit-chip keyboard laptop monitor monitor-small monitor-vertical mouse mouse-bluetooth nas "
        "phone phone-classic printer printer-3d printer-pos projector projector-screen projector-screen-variant "
        "radio-handheld router router-wireless server tablet television television-classic usb-flash-drive webcam"
    ),
    "document": (
        "book book-alphabet book-open book-variant bookmark bookshelf clipboard clipboard-file clipboard-text email "
        "email-fast email-mark-as-unread email-newsletter email-open email-variant file file-cabinet file-cad "
        "file-delimited file-document file-replace file-rotate-right folder folder-file folder-open folder-pound "
        "folder-text mailbox mailbox-open newspaper newspaper-variant note note-text notebook receipt receipt-text "
        "script script-text"
    ),
    "face": (
        "emoticon emoticon-angry emoticon-confused emoticon-cool emoticon-cry emoticon-dead emoticon-devil "
        "emoticon-excited emoticon-frown emoticon-happy emoticon-kiss emoticon-lol emoticon-neutral emoticon-sad "
        "emoticon-sick emoticon-tongue emoticon-wink face-man face-man-shimmer face-woman face-woman-shimmer robot "
        "robot-angry robot-confused robot-dead robot-excited robot-happy robot-love"
    ),
    "food": (
        "apple baby-bottle baguette barley barrel beer blender bottle-soda bottle-soda-classic bottle-tonic "
        "bottle-tonic-skull bottle-wine bowl bowl-mix bread-slice cake cake-layered cake-variant candy carrot "
        "cheese chili-hot chili-medium chili-mild cookie corn cup cup-water cupcake egg egg-easter egg-fried food "
        "food-apple food-croissant food-drumstick food-fork-drink food-steak food-variant french-fries "
        "fruit-cherries fruit-citrus fruit-grapes fruit-pear fruit-pineapple fruit-watermelon glass-cocktail "
        "glass-flute glass-mug glass-mug-variant glass-stange glass-tulip glass-wine grill hamburger hops keg "
        "kettle kettle-pour-over muffin mushroom noodles nut pasta peanut pizza popcorn pretzel pumpkin rice "
        "sausage silverware silverware-fork silverware-fork-knife silverware-spoon silverware-variant spoon-sugar "
        "taco tea"
    ),
    "hand": (
        "gesture-double-tap gesture-swipe gesture-swipe-horizontal gesture-swipe-vertical gesture-tap "
        "gesture-tap-button gesture-tap-hold gesture-two-double-tap gesture-two-tap hand-back-right hand-clap "
        "hand-extended hand-front-right hand-okay hand-peace hand-peace-variant hand-pointing-right hands-pray "
        "handshake thumb-down thumb-up gesture-tap-box"
    ),
    "person": (
        "account account-child account-cowboy-hat account-group account-hard-hat account-injury account-supervisor "
        "account-tie account-tie-hat account-tie-voice account-tie-woman account-voice baby dance-ballroom "
        "dance-pole hiking human human-cane human-child human-female human-female-boy human-female-dance "
        "human-female-female human-female-female-child human-female-girl human-greeting human-greeting-variant "
        "human-handsdown human-handsup human-male human-male-board human-male-boy human-male-child "
        "human-male-female human-male-female-child human-male-girl human-male-height human-male-height-variant "
        "human-male-male human-male-male-child human-non-binary human-pregnant human-scooter human-walker "
        "human-wheelchair human-white-cane karate meditation rowing run run-fast ski ski-cross-country swim walk "
        "wheelchair wheelchair-accessibility yoga"
    ),
    "sound": (
        "bugle bullhorn bullhorn-variant guitar-acoustic guitar-electric headphones headset microphone "
        "microphone-variant music music-accidental-double-flat music-accidental-double-sharp music-accidental-flat "
        "music-accidental-natural music-accidental-sharp music-clef-alto music-clef-bass music-clef-treble "
        "music-note music-note-eighth-dotted music-note-half music-note-half-dotted "
        "music-note-quarter music-note-quarter-dotted music-note-sixteenth music-note-sixteenth-dotted "
        "music-note-whole music-note-whole-dotted piano radio radio-am radio-fm saxophone speaker trumpet violin "
        "volume-high volume-low volume-medium volume-mute"
    ),
    "time": (
        "alarm alarm-snooze clock clock-digital clock-fast clock-time-eight clock-time-eleven clock-time-five "
        "clock-time-four clock-time-nine clock-time-one clock-time-seven clock-time-six clock-time-ten "
        "clock-time-three clock-time-twelve clock-time-two history metronome metronome-tick timer timer-10 timer-3 "
        "timer-sand timer-sand-complete timer-sand-empty timer-sand-full watch watch-variant"
    ),
    "tool": (
        "anvil axe axe-battle broom brush brush-variant bucket circular-saw eyedropper eyedropper-variant "
        "flashlight fountain-pen fountain-pen-tip hammer hammer-screwdriver hammer-wrench hand-saw knife "
        "knife-military ladder magnet microscope mower mower-bag nail palette palette-advanced paperclip pen pencil "
        "pencil-ruler pickaxe pin pipe-wrench pliers rake ruler saw-blade scissors-cutting screw-lag "
        "screw-machine-flat-top screw-machine-round-top screw-round-top screwdriver shovel spirit-level spray "
        "squeegee sword sword-cross tape-measure telescope toolbox tools wrench"
    ),
    "vehicle": (
        "airplane airplane-landing airplane-takeoff ambulance anchor bicycle bicycle-basket bicycle-cargo "
        "bicycle-electric bicycle-penny-farthing bike bike-fast bulldozer bus bus-articulated-end "
        "bus-articulated-front bus-double-decker bus-electric bus-side car car-back car-convertible car-electric "
        "car-emergency car-estate car-hatchback car-lifted-pickup car-limousine car-pickup car-side car-sports "
        "caravan drone dump-truck excavator ferry fire-truck forklift golf-cart helicopter moped moped-electric "
        "motorbike motorbike-electric quadcopter rocket rocket-launch rv-truck sail-boat sail-boat-sink scooter "
        "scooter-electric skateboard snowmobile submarine subway subway-variant tank tanker-truck taxi tow-truck "
        "tractor tractor-variant train train-car-autorack train-car-caboose train-car-centerbeam "
        "train-car-centerbeam-full train-car-container train-car-flatbed train-car-flatbed-tank train-car-gondola "
        "train-car-gondola-full train-car-hopper train-car-hopper-covered train-car-hopper-full "
        "train-car-intermodal train-car-passenger train-car-passenger-door train-car-passenger-door-open "
        "train-car-passenger-variant train-car-tank train-variant tram tram-side truck truck-cargo-container "
        "truck-delivery truck-fast truck-flatbed truck-trailer ufo van-passenger van-utility"
    ),
    "weather": (
        "cloud hail moon-first-quarter moon-last-quarter moon-waning-crescent moon-waning-gibbous "
        "moon-waxing-crescent moon-waxing-gibbous snowflake snowflake-melt snowflake-variant snowman sun-snowflake "
        "sun-snowflake-variant sun-thermometer thermometer thermometer-high thermometer-low thermometer-water "
        "umbrella umbrella-closed umbrella-closed-variant wave waves weather-cloudy weather-dust weather-fog "
        "weather-hail weather-hazy weather-hurricane weather-lightning weather-lightning-rainy weather-night "
        "weather-night-partly-cloudy weather-partly-cloudy weather-partly-lightning weather-partly-rainy "
        "weather-partly-snowy weather-partly-snowy-rainy weather-pouring weather-rainy weather-snowy "
        "weather-snowy-heavy weather-snowy-rainy weather-sunny weather-sunset weather-tornado weather-windy "
        "weather-windy-variant windsock moon-full moon-new"
    ),
}
