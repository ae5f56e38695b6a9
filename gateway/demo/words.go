package demo

// The word lists that the catalogue is made of. Changing them changes every product, ETag and answer.

// A kind is what a category sells: its names by language, the nouns of its products, what they are made of, the sizes
// that a customer may pick from, and the range of prices in cents.
type kind struct {
	slug      string
	names     map[string]string
	nouns     []string
	materials []string
	sizes     []string
	low, high int
	grams     int // what a typical one weighs
}

func names(en, de, fr, es string) map[string]string {
	return map[string]string{"en": en, "de": de, "fr": fr, "es": es}
}

var (
	shoeSizes  = []string{"36", "37", "38", "39", "40", "41", "42", "43", "44", "45", "46"}
	wearSizes  = []string{"XS", "S", "M", "L", "XL", "XXL"}
	threeSizes = []string{"small", "medium", "large"}
	oneSize    = []string{"one size"}
)

var kinds = []kind{
	{"shoes", names("Shoes", "Schuhe", "Chaussures", "Zapatos"), []string{"Runner", "Trainer", "Loafer", "Oxford", "Slip-On", "Derby"}, []string{"calf leather", "knitted mesh", "suede", "recycled polyester"}, shoeSizes, 4900, 18900, 780},
	{"boots", names("Boots", "Stiefel", "Bottes", "Botas"), []string{"Hiking Boot", "Chelsea Boot", "Winter Boot", "Work Boot"}, []string{"oiled nubuck", "full-grain leather", "natural rubber"}, shoeSizes, 7900, 26900, 1450},
	{"jackets", names("Jackets", "Jacken", "Vestes", "Chaquetas"), []string{"Parka", "Windbreaker", "Rain Jacket", "Field Coat", "Down Jacket"}, []string{"waxed cotton", "ripstop nylon", "boiled wool", "three-layer shell"}, wearSizes, 6900, 34900, 900},
	{"shirts", names("Shirts", "Hemden", "Chemises", "Camisas"), []string{"Flannel Shirt", "Polo", "Oxford Shirt", "Tee", "Henley"}, []string{"combed cotton", "linen", "hemp", "merino wool"}, wearSizes, 1900, 8900, 240},
	{"trousers", names("Trousers", "Hosen", "Pantalons", "Pantalones"), []string{"Chino", "Cargo Trouser", "Jean", "Corduroy Trouser"}, []string{"cotton twill", "selvedge denim", "corduroy", "stretch canvas"}, wearSizes, 3900, 14900, 520},
	{"bags", names("Bags", "Taschen", "Sacs", "Bolsos"), []string{"Tote", "Messenger Bag", "Weekender", "Pouch", "Sling"}, []string{"canvas", "vegetable-tanned leather", "sailcloth"}, oneSize, 2900, 22900, 640},
	{"backpacks", names("Backpacks", "Rucksäcke", "Sacs à dos", "Mochilas"), []string{"Daypack", "Trekking Pack", "Roll-Top", "Commuter Pack"}, []string{"cordura", "tarpaulin", "recycled nylon"}, []string{"18 l", "24 l", "32 l", "45 l", "60 l"}, 4900, 27900, 1200},
	{"watches", names("Watches", "Uhren", "Montres", "Relojes"), []string{"Field Watch", "Diver", "Chronograph", "Dress Watch"}, []string{"steel", "titanium", "bronze"}, []string{"36 mm", "38 mm", "40 mm", "42 mm"}, 8900, 64900, 90},
	{"lamps", names("Lamps", "Lampen", "Lampes", "Lámparas"), []string{"Desk Lamp", "Floor Lamp", "Pendant", "Reading Light"}, []string{"spun aluminium", "opal glass", "paper", "brass"}, threeSizes, 2900, 39900, 1900},
	{"chairs", names("Chairs", "Stühle", "Chaises", "Sillas"), []string{"Armchair", "Stool", "Dining Chair", "Rocking Chair"}, []string{"solid oak", "moulded beech", "powder-coated steel", "cane"}, oneSize, 6900, 59900, 6200},
	{"tables", names("Tables", "Tische", "Tables", "Mesas"), []string{"Side Table", "Dining Table", "Standing Desk", "Bench"}, []string{"walnut", "ash", "birch plywood", "marble"}, []string{"120 cm", "140 cm", "160 cm", "180 cm", "200 cm"}, 9900, 129900, 24000},
	{"rugs", names("Rugs", "Teppiche", "Tapis", "Alfombras"), []string{"Runner Rug", "Kilim", "Berber Rug", "Doormat"}, []string{"jute", "hand-spun wool", "cotton", "sisal"}, []string{"60x90", "80x150", "140x200", "170x240"}, 2900, 79900, 5400},
	{"cookware", names("Cookware", "Kochgeschirr", "Batterie de cuisine", "Menaje"), []string{"Saucepan", "Skillet", "Casserole", "Wok", "Stock Pot"}, []string{"cast iron", "carbon steel", "copper", "enamelled steel"}, []string{"16 cm", "20 cm", "24 cm", "28 cm"}, 2400, 28900, 1800},
	{"knives", names("Knives", "Messer", "Couteaux", "Cuchillos"), []string{"Chef's Knife", "Paring Knife", "Bread Knife", "Cleaver"}, []string{"high-carbon steel", "layered steel", "stainless steel"}, []string{"9 cm", "16 cm", "20 cm", "24 cm"}, 1900, 24900, 210},
	{"mugs", names("Mugs", "Becher", "Tasses", "Tazas"), []string{"Mug", "Espresso Cup", "Tumbler", "Tea Bowl"}, []string{"stoneware", "porcelain", "enamel", "borosilicate glass"}, threeSizes, 900, 4900, 320},
	{"tea", names("Tea", "Tee", "Thé", "Té"), []string{"Green Tea", "Oolong", "Black Tea", "Herbal Blend", "White Tea"}, []string{"first flush", "shade-grown leaf", "smoked leaf", "whole leaf"}, []string{"50 g", "100 g", "250 g"}, 590, 4900, 130},
	{"coffee", names("Coffee", "Kaffee", "Café", "Café"), []string{"Espresso Roast", "Filter Roast", "Decaf", "House Blend"}, []string{"washed arabica", "natural arabica", "honey process"}, []string{"250 g", "500 g", "1 kg"}, 890, 4200, 400},
	{"headphones", names("Headphones", "Kopfhörer", "Casques", "Auriculares"), []string{"Over-Ear", "Earbuds", "Studio Monitor", "Open-Back"}, []string{"aluminium", "glass-filled nylon", "walnut veneer"}, oneSize, 3900, 59900, 290},
	{"keyboards", names("Keyboards", "Tastaturen", "Claviers", "Teclados"), []string{"Compact Keyboard", "Split Keyboard", "Full-Size Keyboard", "Number Pad"}, []string{"PBT", "anodised aluminium", "polycarbonate"}, []string{"ANSI", "ISO-DE", "ISO-FR", "ISO-ES"}, 4900, 32900, 980},
	{"bicycles", names("Bicycles", "Fahrräder", "Vélos", "Bicicletas"), []string{"City Bike", "Gravel Bike", "Cargo Bike", "Folding Bike"}, []string{"chromoly steel", "aluminium 6061", "carbon fibre"}, []string{"S", "M", "L", "XL"}, 49900, 459900, 13500},
	{"tents", names("Tents", "Zelte", "Tentes", "Tiendas"), []string{"Dome Tent", "Tunnel Tent", "Tarp", "Bivouac"}, []string{"silicone-coated nylon", "polycotton", "polyester"}, []string{"1 person", "2 people", "3 people", "4 people"}, 8900, 79900, 2600},
	{"books", names("Books", "Bücher", "Livres", "Libros"), []string{"Field Guide", "Atlas", "Cookbook", "Novel", "Notebook"}, []string{"paperback", "hardcover", "cloth binding"}, oneSize, 990, 6900, 480},
	{"toys", names("Toys", "Spielzeug", "Jouets", "Juguetes"), []string{"Building Set", "Puzzle", "Marble Run", "Kite", "Spinning Top"}, []string{"maple", "beech", "cotton", "bioplastic"}, oneSize, 990, 9900, 550},
	{"plants", names("Plants", "Pflanzen", "Plantes", "Plantas"), []string{"Fern", "Monstera", "Olive Tree", "Succulent", "Fig"}, []string{"terracotta pot", "nursery pot", "glazed pot"}, threeSizes, 790, 14900, 2100},
}

var brands = []string{
	"Ahlberg", "Brisa Norte", "Calder & Sons", "Dunmore", "Elstow", "Ferro Lindo", "Grauwald", "Hollin", "Isarwerk",
	"Juno Mills", "Kestrel Row", "Lumiar", "Marlowe", "Nordsee", "Ostrava Works", "Pellegrin", "Quarry Lane", "Rosendal",
	"Stillwater", "Tarn", "Umbra Studio", "Vallois", "Westerby", "Yarrow", "Zeller",
}

var qualities = []string{
	"Classic", "Compact", "Everyday", "Feather", "Harbour", "Heritage", "Highland", "Journey", "Low-Tide", "Meadow",
	"Midnight", "Northern", "Original", "Paper", "Quiet", "River", "Simple", "Solid", "Summit", "Sunday", "Terrace",
	"Urban", "Voyage", "Weekday", "Winter",
}

var colours = []string{
	"ash grey", "black", "bone", "brick", "cobalt", "fern green", "forest", "ink blue", "mustard", "natural", "olive",
	"plum", "rust", "sand", "slate", "terracotta", "white",
}

var warehouses = []string{"hamburg", "lyon", "valencia", "gdansk", "leeds"}

var countries = []string{"DE", "FR", "ES", "PL", "GB", "NL", "SE", "IT", "PT", "AT"}

var marks = []string{"bestseller", "gift", "handmade", "last-pieces", "limited", "new", "outdoor", "recycled", "sale", "vegan"}

var firstNames = []string{
	"Ada", "Bastian", "Carmen", "Dario", "Elif", "Franka", "Gilles", "Hanna", "Ilya", "Jonas", "Katarzyna", "Lotte",
	"Mireia", "Nils", "Oriol", "Paula", "Quentin", "Rosa", "Sven", "Tilda", "Ursula", "Viktor", "Wanda", "Yusuf", "Zoë",
}

// Sentences of a description; describe fills in the words in braces.
var descriptions = []string{
	"The {noun} by {brand} is made of {material} and built to be used daily.",
	"We have kept the details few: {material}, clean seams, nothing that rattles.",
	"{brand} has refined this {noun} over four seasons, and it shows.",
	"In {colour} it goes with almost everything.",
	"The {material} comes from a supplier less than a day's drive away from the workshop.",
	"Every piece is checked by hand before it is packed.",
	"Small marks in the {material} are part of the material and no fault.",
	"It ages well: the first scratches are the worst, the later ones are character.",
	"Spare parts stay available for at least ten years.",
	"If it breaks, send it back; {brand} repairs rather than replaces.",
	"The box is plain cardboard, glued with starch, and fits a letter box where the {noun} does.",
	"Customers tell us that this {noun} is the one they reach for first.",
	"Weight and balance were tuned until nobody on the team complained.",
	"The colour {colour} is dyed in small lots and may differ slightly between orders.",
}

var careNotes = []string{
	"wipe with a damp cloth", "keep out of direct sun", "wash cold with similar colours", "air dry only", "oil twice a year",
	"store dry and cool", "no bleach", "hand wash recommended", "brush off dust after use", "do not tumble dry",
}

// Sentences of a review, by how content the reviewer is: index 0 goes with one and two stars, 2 with four and five.
var reviewTexts = [3][]string{
	{
		"It arrived later than promised and the box was dented.", "The size runs small, so it had to go back.",
		"After three weeks the finish came off at one corner.", "Not what the pictures made me expect.",
		"Customer service was kind, the product was not.", "I had an older model that was better made.",
	},
	{
		"It does what it should, no more and no less.", "Good value, though the colour is darker than on my screen.",
		"Fine for the weekend, I would not use it every day.", "The second one I bought; the first lasted four years.",
		"Packaging was excessive, the thing itself is all right.", "My partner likes it more than I do.",
	},
	{
		"Exactly what I was looking for.", "The workmanship is better than I have seen at twice the price.",
		"Delivery took two days and everything was in order.", "I use it every single day and it still looks new.",
		"Bought one for me, then one for my sister.", "The material feels honest and solid.",
		"I hesitated because of the price and should not have.", "A small thing that makes the morning better.",
	},
}

var reviewTitles = [3][]string{
	{"Disappointed", "Would not buy again", "Sent it back", "Not for me"},
	{"Does the job", "Fair enough", "Good with a few flaws", "Mixed feelings"},
	{"Love it", "Highly recommended", "Better than expected", "Five stars, no regrets", "Worth every cent"},
}
