package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// shared is read by every test that does not count requests.
var shared = sync.OnceValue(func() *Shop { return New(Options{}) })

func do(t *testing.T, s *Shop, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func get(t *testing.T, s *Shop, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	return do(t, s, http.MethodGet, target, "", header...)
}

func TestEveryAnswerIsRealistic(t *testing.T) {
	s := shared()
	targets := []string{"/", "/categories", "/slow?ms=0", "/products", "/products?page=2", "/products?page=999999", "/products?per_page=1",
		"/products?per_page=50", "/search?q=oak", "/search?q=nothing-has-this-name", "/search?q=merino+shirt"}
	for page := 1; page <= DefaultProducts/maxPerPage; page++ {
		targets = append(targets, fmt.Sprintf("/products?per_page=%d&page=%d", maxPerPage, page))
	}
	for _, k := range kinds {
		targets = append(targets, "/categories/"+k.slug+"/products", "/products?per_page=50&category="+k.slug)
	}
	for id := 1; id <= DefaultProducts; id++ {
		targets = append(targets, fmt.Sprintf("/products/%d", id), fmt.Sprintf("/products/%d/reviews", id))
	}
	smallest, largest := MaxAnswer, 0
	for _, target := range targets {
		w := get(t, s, target)
		if w.Code != http.StatusOK {
			t.Fatalf("GET %s: %d %s", target, w.Code, w.Body)
		}
		n := w.Body.Len()
		if n > MaxAnswer || n < MinAnswer && target != "/slow?ms=0" {
			t.Errorf("GET %s: %d bytes, want %d to %d", target, n, MinAnswer, MaxAnswer)
		}
		if target != "/slow?ms=0" {
			smallest = min(smallest, n)
		}
		largest = max(largest, n)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("GET %s: not JSON: %s", target, w.Body)
		}
		for _, name := range []string{"Etag", "Last-Modified", "Cache-Control", "Cache-Tag"} {
			if w.Header().Get(name) == "" {
				t.Errorf("GET %s: no %s", target, name)
			}
		}
		if tags := strings.Split(w.Header().Get("Cache-Tag"), ","); len(tags) > 128 {
			t.Errorf("GET %s: %d tags, more than the gateway stores", target, len(tags))
		}
	}
	// The answers spread over the range; were they all alike they would not be realistic.
	if smallest > 1500 || largest < 20_000 {
		t.Errorf("answers of %d to %d bytes do not spread over %d to %d", smallest, largest, MinAnswer, MaxAnswer)
	}
	t.Logf("%d answers of %d to %d bytes", len(targets), smallest, largest)
}

func TestTheSameShopEverywhere(t *testing.T) {
	a, b := shared(), New(Options{Products: 100})
	for _, target := range []string{"/products/42/reviews", "/products/1/reviews"} {
		if x, y := get(t, a, target), get(t, b, target); !bytes.Equal(x.Body.Bytes(), y.Body.Bytes()) {
			t.Errorf("GET %s differs between two shops", target)
		}
	}
	c := New(Options{})
	for _, target := range []string{"/products/42", "/products?page=7", "/categories", "/search?q=oak"} {
		x, y := get(t, a, target), get(t, c, target)
		if !bytes.Equal(x.Body.Bytes(), y.Body.Bytes()) || x.Header().Get("ETag") != y.Header().Get("ETag") {
			t.Errorf("GET %s differs between two shops", target)
		}
	}
	if x, y := get(t, a, "/products/42").Body.String(), get(t, a, "/products/43").Body.String(); x == y {
		t.Error("products 42 and 43 are the same")
	}
}

func TestProduct42IsAPairOfShoes(t *testing.T) {
	w := get(t, shared(), "/products/42")
	if got, want := w.Header().Get("Cache-Tag"), "product-42,category-shoes"; got != want {
		t.Errorf("Cache-Tag is %q, want %q: the documentation's examples rely on it", got, want)
	}
	var p product
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.ID != 42 || p.Category != "shoes" || len(p.Variants) == 0 || p.Description == "" || strings.Contains(p.Description, "{") {
		t.Errorf("product 42 is %+v", p)
	}
}

func TestConditionalAndRangeRequests(t *testing.T) {
	s := shared()
	full := get(t, s, "/products/42")
	etag, modified := full.Header().Get("ETag"), full.Header().Get("Last-Modified")
	for _, c := range []struct {
		name, header, value string
		status              int
	}{
		{"same tag", "If-None-Match", etag, http.StatusNotModified},
		{"weak form", "If-None-Match", "W/" + etag, http.StatusNotModified},
		{"other tag", "If-None-Match", `"other"`, http.StatusOK},
		{"same date", "If-Modified-Since", modified, http.StatusNotModified},
		{"older date", "If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", http.StatusOK},
		{"range", "Range", "bytes=0-99", http.StatusPartialContent},
		{"precondition", "If-Match", `"other"`, http.StatusPreconditionFailed},
	} {
		w := get(t, s, "/products/42", c.header, c.value)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.status)
		}
		if c.status == http.StatusNotModified && (w.Body.Len() != 0 || w.Header().Get("ETag") != etag) {
			t.Errorf("%s: a 304 with %d bytes and ETag %q", c.name, w.Body.Len(), w.Header().Get("ETag"))
		}
		if c.status == http.StatusPartialContent && !bytes.Equal(w.Body.Bytes(), full.Body.Bytes()[:100]) {
			t.Errorf("%s: other bytes than the first hundred", c.name)
		}
	}
}

func TestPaging(t *testing.T) {
	s := shared()
	seen := make(map[int]bool)
	for n := 1; ; n++ {
		var p page
		w := get(t, s, fmt.Sprintf("/categories/shoes/products?per_page=30&page=%d", n))
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		for _, product := range p.Products {
			if seen[product.ID] || product.Category != "shoes" {
				t.Errorf("page %d has product %d (%s) twice or wrongly", n, product.ID, product.Category)
			}
			seen[product.ID] = true
			if !strings.Contains(w.Header().Get("Cache-Tag")+",", fmt.Sprintf("product-%d,", product.ID)) {
				t.Errorf("page %d is not tagged with product %d, which it shows", n, product.ID)
			}
		}
		if n >= p.Pages {
			if len(seen) != p.Total || p.Total < 50 {
				t.Errorf("%d products on %d pages, total says %d", len(seen), p.Pages, p.Total)
			}
			return
		}
	}
}

func TestSearchFindsEveryWord(t *testing.T) {
	var p page
	w := get(t, shared(), "/search?per_page=50&q=Leather+BOOTS")
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.Total == 0 {
		t.Fatal("no leather boots in the shop")
	}
	for _, product := range p.Products {
		if product.Category != "boots" {
			t.Errorf("product %d is in %s", product.ID, product.Category)
		}
	}
}

func TestLanguages(t *testing.T) {
	s := shared()
	etags := make(map[string]string)
	for _, c := range []struct{ accept, language, text string }{
		{"", "en", "Backpacks"}, {"de", "de", "Rucksäcke"}, {"de-AT;q=0.8, fr;q=0.9", "fr", "Sacs à dos"}, {"ES", "es", "Mochilas"},
		{"ja, *;q=0.1", "en", "Backpacks"}, {"de;q=0, fr;q=x", "en", "Backpacks"}, {"de;q=0.2,,es; q=0.1", "de", "Rucksäcke"},
	} {
		w := get(t, s, "/categories", "Accept-Language", c.accept)
		if got := w.Header().Get("Content-Language"); got != c.language {
			t.Errorf("Accept-Language %q gives %q, want %q", c.accept, got, c.language)
		}
		if !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("Accept-Language %q: no %q in the answer", c.accept, c.text)
		}
		if w.Header().Get("Vary") != "Accept-Language" {
			t.Errorf("Accept-Language %q: Vary is %q", c.accept, w.Header().Get("Vary"))
		}
		etags[w.Header().Get("ETag")] = c.language
	}
	if len(etags) != 4 {
		t.Errorf("%d different ETags for four languages", len(etags))
	}
}

func TestCartIsPrivate(t *testing.T) {
	s := shared()
	first := get(t, s, "/cart")
	cookie := first.Header().Get("Set-Cookie")
	if cookie == "" || first.Header().Get("Cache-Control") != "private" {
		t.Fatalf("Set-Cookie %q, Cache-Control %q", cookie, first.Header().Get("Cache-Control"))
	}
	value, _, _ := strings.Cut(cookie, ";")
	if again := get(t, s, "/cart", "Cookie", value); again.Body.String() != first.Body.String() {
		t.Error("the same visitor got another cart")
	}
	if other := get(t, s, "/cart"); other.Body.String() == first.Body.String() {
		t.Error("two visitors got the same cart")
	}
	if forged := get(t, s, "/cart", "Cookie", "cart=mine"); strings.Contains(forged.Body.String(), `"mine"`) {
		t.Error("a cart id that was never given out was accepted")
	}
}

func TestHealthIsNotStored(t *testing.T) {
	if w := get(t, shared(), "/health"); w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d, Cache-Control %q", w.Code, w.Header().Get("Cache-Control"))
	}
}

func TestOrders(t *testing.T) {
	s := shared()
	for _, c := range []struct {
		body   string
		status int
		says   string
	}{
		{`{"items":[{"product_id":42,"quantity":1}]}`, http.StatusCreated, `"order":"o-`},
		{``, http.StatusBadRequest, "body is empty"},
		{`[]`, http.StatusBadRequest, "not an order"},
		{`{"itmes":[]}`, http.StatusBadRequest, "itmes"},
		{`{"items":[]}`, http.StatusUnprocessableEntity, "1 to 100 items"},
		{`{"items":[{"product_id":42,"quantity":0}]}`, http.StatusUnprocessableEntity, "quantity"},
		{`{"items":[{"product_id":987654,"quantity":1}]}`, http.StatusUnprocessableEntity, "no product 987654"},
		{`{"items":[` + strings.Repeat(" ", maxOrderBytes) + `]}`, http.StatusRequestEntityTooLarge, "at most"},
	} {
		w := do(t, s, http.MethodPost, "/orders", c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%.50q: %d %s; want %d and %q", c.body, w.Code, w.Body, c.status, c.says)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%.50q: Cache-Control is %q", c.body, w.Header().Get("Cache-Control"))
		}
	}
}

func TestErrorsAreJSON(t *testing.T) {
	s := shared()
	for _, c := range []struct {
		method, target string
		status         int
		says           string
	}{
		{"GET", "/nothing", 404, "/nothing"},
		{"GET", "/products/0", 404, "no product"},
		{"GET", "/products/042", 404, "no product"},
		{"GET", "/products/+42", 404, "no product"},
		{"GET", "/products/x/reviews", 404, "no product"},
		{"GET", "/products/99999999999999999999", 404, "no product"},
		{"GET", "/products/", 404, "nothing at"},
		{"GET", "/categories/spaceships/products", 404, "no category"},
		{"GET", "/products?category=spaceships", 400, "no category"},
		{"GET", "/products?page=0", 400, "page"},
		{"GET", "/products?page=x", 400, "page"},
		{"GET", "/products?per_page=51", 400, "per_page"},
		{"GET", "/search", 400, "q is missing"},
		{"GET", "/search?q=" + strings.Repeat("x", 101), 400, "longer"},
		{"GET", "/slow?ms=10001", 400, "ms"},
		{"GET", "/slow?ms=-1", 400, "ms"},
		{"GET", "/error", 503, "asked for"},
		{"GET", "/error?status=404", 404, "asked for"},
		{"GET", "/error?status=599", 599, "asked for"},
		{"GET", "/error?status=200", 400, "status"},
		{"DELETE", "/products/42", 405, "GET, HEAD"},
		{"GET", "/orders", 405, "POST"},
	} {
		w := do(t, s, c.method, c.target, "")
		var body struct {
			Error, Message string
			Status         int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Errorf("%s %s: %v in %s", c.method, c.target, err, w.Body)
			continue
		}
		if w.Code != c.status || body.Status != c.status || body.Error == "" || !strings.Contains(body.Message, c.says) {
			t.Errorf("%s %s: %d %+v; want %d and %q", c.method, c.target, w.Code, body, c.status, c.says)
		}
		if noStore := w.Header().Get("Cache-Control") == "no-store"; noStore == (c.status == 404) {
			t.Errorf("%s %s: no-store is %v", c.method, c.target, noStore)
		}
		if c.status == 405 && w.Header().Get("Allow") != c.says {
			t.Errorf("%s %s: Allow is %q", c.method, c.target, w.Header().Get("Allow"))
		}
	}
}
