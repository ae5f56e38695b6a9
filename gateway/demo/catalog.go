package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// seed makes the catalogue what it is. With this one, product 42 is a pair of shoes, as the examples in the
// documentation have it.
const seed = 10

// opened is the day the shop's history ends: no date in an answer is later, so that none depends on the clock.
var opened = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

type money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

type rating struct {
	Average float64 `json:"average"`
	Count   int     `json:"count"`
}

type image struct {
	URL    string `json:"url"`
	Alt    string `json:"alt"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// summary is a product as lists show it.
type summary struct {
	ID        int       `json:"id"`
	SKU       string    `json:"sku"`
	Slug      string    `json:"slug"`
	Name      string    `json:"name"`
	Brand     string    `json:"brand"`
	Category  string    `json:"category"`
	Price     money     `json:"price"`
	ListPrice *money    `json:"list_price,omitempty"`
	Rating    rating    `json:"rating"`
	InStock   bool      `json:"in_stock"`
	Image     image     `json:"image"`
	Tags      []string  `json:"tags"`
	UpdatedAt time.Time `json:"updated_at"`
}

type variant struct {
	SKU    string `json:"sku"`
	Size   string `json:"size"`
	Colour string `json:"colour"`
	Price  money  `json:"price"`
	Stock  int    `json:"stock"`
	EAN    string `json:"ean"`
}

type shipping struct {
	WeightGrams int      `json:"weight_grams"`
	SizeMM      [3]int   `json:"size_mm"`
	Days        [2]int   `json:"delivery_days"`
	Countries   []string `json:"countries"`
	Free        bool     `json:"free"`
}

// product is everything that /products/{id} tells.
type product struct {
	summary
	Description string            `json:"description"`
	Material    string            `json:"material"`
	Care        []string          `json:"care"`
	Attributes  map[string]string `json:"attributes"`
	Variants    []variant         `json:"variants"`
	Images      []image           `json:"images"`
	Stock       map[string]int    `json:"stock"`
	Shipping    shipping          `json:"shipping"`
	Related     []int             `json:"related"`
	CreatedAt   time.Time         `json:"created_at"`
}

// catalog is built once and never changes: handlers read it without a lock.
type catalog struct {
	products   []product // products[i] has id i+1
	byCategory map[string][]int
	words      []string // what a search looks at, by index; lower case
}

func newCatalog(n int) *catalog {
	c := &catalog{products: make([]product, n), byCategory: make(map[string][]int), words: make([]string, n)}
	for i := range c.products {
		p := newProduct(i+1, n)
		c.products[i] = p
		c.byCategory[p.Category] = append(c.byCategory[p.Category], i)
		c.words[i] = strings.ToLower(strings.Join([]string{p.Name, p.Brand, p.Category, p.Material, strings.Join(p.Tags, " ")}, " "))
	}
	return c
}

// product returns nil where there is no product with that id.
func (c *catalog) product(id int) *product {
	if id < 1 || id > len(c.products) {
		return nil
	}
	return &c.products[id-1]
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// some picks between low and high different elements, in the order of the list.
func some[T any](r *rand.Rand, from []T, low, high int) []T {
	n := min(low+r.IntN(high-low+1), len(from))
	out := make([]T, 0, n)
	for i, left := 0, n; left > 0; i++ {
		// Each element is taken with the probability that leaves every selection equally likely.
		if r.IntN(len(from)-i) < left {
			out = append(out, from[i])
			left--
		}
	}
	return out
}

func euros(cents int) money {
	return money{Amount: fmt.Sprintf("%d.%02d", cents/100, cents%100), Currency: "EUR"}
}

// The streams of random numbers: each part of each product has its own, so that one part may change without
// changing all the others, and a shop with more products has the same first ones.
const (
	productStream uint64 = iota << 32
	reviewStream
	cartStream
	exportStream
)

func source(stream, id uint64) *rand.Rand { return rand.New(rand.NewPCG(stream+seed, id)) }

func newProduct(id, total int) product {
	r := source(productStream, uint64(id))
	k := pick(r, kinds)
	noun, material, brand := pick(r, k.nouns), pick(r, k.materials), pick(r, brands)
	name := pick(r, qualities) + " " + noun
	slug := strings.ToLower(strings.NewReplacer(" ", "-", "'", "").Replace(name))
	cents := (k.low+r.IntN(k.high-k.low))/100*100 + 90
	created := opened.Add(-time.Duration(30+r.IntN(900)) * 24 * time.Hour)
	p := product{summary: summary{
		ID: id, SKU: fmt.Sprintf("%s-%05d", strings.ToUpper(k.slug[:3]), id), Slug: fmt.Sprintf("%s-%d", slug, id),
		Name: name, Brand: brand, Category: k.slug, Price: euros(cents),
		Tags:      some(r, marks, 1, 4),
		UpdatedAt: created.Add(time.Duration(r.Int64N(int64(opened.Sub(created))))).Truncate(time.Second),
	}}
	if r.IntN(4) == 0 {
		was := euros(cents + cents/5)
		p.ListPrice = &was
	}
	shades := some(r, colours, 1, 4)
	p.Description = describe(r, noun, material, brand, shades[0])
	p.Material, p.Care, p.CreatedAt = material, some(r, careNotes, 2, 4), created
	p.Variants = variants(r, k, p.SKU, shades, cents)
	p.Images = images(r, p.Slug, name, shades)
	p.Image = p.Images[0]
	p.Attributes = map[string]string{
		"colour": strings.Join(shades, ", "), "made_in": pick(r, countries), "warranty_years": fmt.Sprint(1 + r.IntN(10)),
		"season": pick(r, []string{"all year", "spring", "summer", "autumn", "winter"}),
	}
	p.Stock = make(map[string]int)
	for _, w := range some(r, warehouses, 1, len(warehouses)) {
		p.Stock[w] = r.IntN(120)
		p.InStock = p.InStock || p.Stock[w] > 0
	}
	p.Shipping = shipping{
		WeightGrams: k.grams/2 + r.IntN(k.grams), SizeMM: [3]int{80 + r.IntN(800), 60 + r.IntN(500), 30 + r.IntN(300)},
		Days: [2]int{1 + r.IntN(2), 3 + r.IntN(5)}, Countries: some(r, countries, 4, len(countries)), Free: cents >= 5000,
	}
	p.Related = []int{}
	for range 4 + r.IntN(5) {
		if other := 1 + r.IntN(total); other != id && !slices.Contains(p.Related, other) {
			p.Related = append(p.Related, other)
		}
	}
	p.Rating = newReviews(id).Rating
	return p
}

// describe writes paragraphs of two to four sentences, none of them twice.
func describe(r *rand.Rand, noun, material, brand, colour string) string {
	fill := strings.NewReplacer("{noun}", strings.ToLower(noun), "{material}", material, "{brand}", brand, "{colour}", colour)
	sentences := some(r, descriptions, 4, len(descriptions))
	var paragraphs []string
	for len(sentences) > 0 {
		n := min(2+r.IntN(3), len(sentences))
		paragraphs = append(paragraphs, fill.Replace(strings.Join(sentences[:n], " ")))
		sentences = sentences[n:]
	}
	return strings.Join(paragraphs, "\n\n")
}

func variants(r *rand.Rand, k kind, sku string, shades []string, cents int) []variant {
	var out []variant
	for c, colour := range shades {
		for s, size := range k.sizes {
			out = append(out, variant{
				SKU: fmt.Sprintf("%s-%d%02d", sku, c+1, s+1), Size: size, Colour: colour,
				Price: euros(cents + s*cents/50), Stock: r.IntN(40), EAN: fmt.Sprintf("40%011d", r.Int64N(1e11)),
			})
		}
	}
	return out
}

func images(r *rand.Rand, slug, name string, shades []string) []image {
	views := some(r, []string{"front", "side", "back", "detail", "in use", "packed"}, 2, 6)
	out := make([]image, len(views))
	for i, v := range views {
		out[i] = image{
			URL: fmt.Sprintf("https://img.shop.example/p/%s/%d-%s.jpg", slug, i+1, strings.ReplaceAll(v, " ", "-")),
			Alt: fmt.Sprintf("%s in %s, %s", name, shades[i%len(shades)], v), Width: 1600, Height: 1200,
		}
	}
	return out
}
