package demo

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// languages are those the categories are named in; the first is what a client without a wish gets.
var languages = []string{"en", "de", "fr", "es"}

// language picks what a client likes best of what there is. A region is ignored: de-AT gets de.
func language(acceptLanguage []string) string {
	best, bestQ := "", 0.0
	for _, part := range strings.Split(strings.Join(acceptLanguage, ","), ",") {
		tag, params, _ := strings.Cut(part, ";")
		tag, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			parsed, err := strconv.ParseFloat(value, 64)
			if err != nil {
				continue
			}
			q = parsed
		}
		if tag == "*" {
			tag = languages[0]
		}
		if q > bestQ && slices.Contains(languages, tag) {
			best, bestQ = tag, q
		}
	}
	if best == "" {
		return languages[0]
	}
	return best
}

// listCategories is the one resource with a variant per language.
func (s *Shop) listCategories(w http.ResponseWriter, r *http.Request) {
	type category struct {
		Slug     string `json:"slug"`
		Name     string `json:"name"`
		Products int    `json:"products"`
		Featured int    `json:"featured_product,omitempty"`
	}
	lang := language(r.Header.Values("Accept-Language"))
	out := struct {
		Language   string     `json:"language"`
		Categories []category `json:"categories"`
	}{Language: lang}
	for _, k := range kinds {
		c := category{Slug: k.slug, Name: k.names[lang], Products: len(s.catalog.byCategory[k.slug])}
		if in := s.catalog.byCategory[k.slug]; len(in) > 0 {
			c.Featured = in[0] + 1
		}
		out.Categories = append(out.Categories, c)
	}
	w.Header().Set("Vary", "Accept-Language")
	w.Header().Set("Content-Language", lang)
	answer(w, r, out, cacheable{modified: opened, maxAge: 5 * time.Minute, tags: []string{"categories"}})
}
