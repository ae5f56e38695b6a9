package demo

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPerPage = 20
	maxPerPage     = 50 // more would pass MaxAnswer
	maxQuery       = 100
)

type facet struct {
	Category string `json:"category"`
	Products int    `json:"products"`
}

// page is a list of products as every listing answers it.
type page struct {
	Query      string    `json:"query,omitempty"`
	Category   string    `json:"category,omitempty"`
	Page       int       `json:"page"`
	PerPage    int       `json:"per_page"`
	Pages      int       `json:"pages"`
	Total      int       `json:"total"`
	Products   []summary `json:"products"`
	Categories []facet   `json:"categories"` // how many products each has in the whole shop
}

func (s *Shop) listProducts(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	category := q.Get("category")
	if category != "" {
		s.listIn(w, r, q, category, http.StatusBadRequest)
		return
	}
	all := make([]int, len(s.catalog.products))
	for i := range all {
		all[i] = i
	}
	s.listing(w, r, q, page{}, all, "products")
}

func (s *Shop) listCategory(w http.ResponseWriter, r *http.Request) {
	s.listIn(w, r, r.URL.Query(), r.PathValue("slug"), http.StatusNotFound)
}

func (s *Shop) listIn(w http.ResponseWriter, r *http.Request, q url.Values, category string, unknown int) {
	if !knownCategory(category) {
		fail(w, unknown, "there is no category %q; GET /categories lists them", category)
		return
	}
	s.listing(w, r, q, page{Category: category}, s.catalog.byCategory[category], "category-"+category)
}

// search finds the products that have every word of the query in their name, brand, category, material or tags.
func (s *Shop) search(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	words := strings.Fields(strings.ToLower(q.Get("q")))
	switch {
	case len(words) == 0:
		fail(w, http.StatusBadRequest, "the parameter q is missing or empty: /search?q=wool")
		return
	case len(q.Get("q")) > maxQuery:
		fail(w, http.StatusBadRequest, "the parameter q is longer than %d bytes", maxQuery)
		return
	}
	var found []int
	for i, text := range s.catalog.words {
		if containsAll(text, words) {
			found = append(found, i)
		}
	}
	s.listing(w, r, q, page{Query: strings.Join(words, " ")}, found, "search")
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// listing answers one page of the products at those indexes. It is tagged with its own tag and with every product
// it shows, so that a purge of a product reaches the lists as well.
func (s *Shop) listing(w http.ResponseWriter, r *http.Request, q url.Values, p page, indexes []int, tag string) {
	var err error
	if p.Page, err = number(q, "page", 1, 1, 1_000_000); err == nil {
		p.PerPage, err = number(q, "per_page", defaultPerPage, 1, maxPerPage)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	p.Total = len(indexes)
	p.Pages = (p.Total + p.PerPage - 1) / p.PerPage
	from := min((p.Page-1)*p.PerPage, p.Total)
	to := min(from+p.PerPage, p.Total)
	c := cacheable{modified: opened, maxAge: time.Minute, tags: []string{tag}}
	p.Products = make([]summary, 0, to-from)
	for _, i := range indexes[from:to] {
		p.Products = append(p.Products, s.catalog.products[i].summary)
		c.tags = append(c.tags, productTag(i+1))
	}
	for _, k := range kinds {
		p.Categories = append(p.Categories, facet{k.slug, len(s.catalog.byCategory[k.slug])})
	}
	answer(w, r, p, c)
}

func (s *Shop) showProduct(w http.ResponseWriter, r *http.Request) {
	if p := s.find(w, r); p != nil {
		answer(w, r, p, cacheable{
			modified: p.UpdatedAt, maxAge: time.Minute, tags: []string{productTag(p.ID), "category-" + p.Category},
		})
	}
}

func (s *Shop) showReviews(w http.ResponseWriter, r *http.Request) {
	if p := s.find(w, r); p != nil {
		rs := newReviews(p.ID)
		answer(w, r, rs, cacheable{modified: rs.newest(), maxAge: time.Minute, tags: []string{productTag(p.ID), "reviews"}})
	}
}

// find gives the product that the path names, or answers 404. Only the plain form of a number is an id: 042 is not
// another address of product 42.
func (s *Shop) find(w http.ResponseWriter, r *http.Request) *product {
	text := r.PathValue("id")
	id, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(id) != text || s.catalog.product(id) == nil {
		fail(w, http.StatusNotFound, "there is no product %q; ids are 1 to %d", text, len(s.catalog.products))
		return nil
	}
	return s.catalog.product(id)
}

func productTag(id int) string { return "product-" + strconv.Itoa(id) }

func knownCategory(slug string) bool {
	for _, k := range kinds {
		if k.slug == slug {
			return true
		}
	}
	return false
}

// number reads a whole number from the query.
func number(q url.Values, name string, missing, low, high int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("the parameter %s must be a whole number from %d to %d, not %q", name, low, high, text)
	}
	return n, nil
}
