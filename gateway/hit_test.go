package gateway

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const lastModified = "Sun, 01 Nov 2026 10:00:00 GMT"

func TestConditionalRequests(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		for name := range q.Header {
			if strings.HasPrefix(name, "If-") || name == "Range" {
				t.Errorf("the backend was asked with %s", name)
			}
		}
		fixed(200, "0123456789", "Etag", `"v1"`, "Last-Modified", lastModified, "Content-Type", "text/a")(w, q)
	})
	for _, c := range []struct {
		name, value string
		status      int
	}{
		{"If-None-Match", `"v0", W/"v1"`, 304},
		{"If-None-Match", `"v2"`, 200},
		{"If-Modified-Since", lastModified, 304},
		{"If-Modified-Since", "Sun, 01 Nov 2026 09:59:59 GMT", 200},
		{"If-Match", `"v1"`, 200},
		{"If-Match", `"v2"`, 412},
		{"If-Unmodified-Since", "Sun, 01 Nov 2026 09:59:59 GMT", 412},
	} {
		for _, when := range []string{"fwd=uri-miss; stored", "hit"} { // a miss is answered from what it stored
			path := fmt.Sprintf("/prod/%s/%s", c.name, strings.NewReplacer(`"`, "", " ", "").Replace(c.value))
			a := r.get(path, c.name, c.value)
			if a.status != c.status || !strings.Contains(a.cache(), when) {
				t.Errorf("%s: %s, %s: got %d %q, want %d", c.name, c.value, when, a.status, a.cache(), c.status)
			}
			body := map[int]string{200: "0123456789", 304: "", 412: `{"message":"Precondition Failed"}` + "\n"}[c.status]
			if a.body != body {
				t.Errorf("%s: %s: body %q", c.name, c.value, a.body)
			}
			if c.status == 304 && (a.header.Get("Etag") != `"v1"` || a.header["Content-Type"] != nil || a.header.Get("Date") == "") {
				t.Errorf("header of a 304: %v", a.header)
			}
			if c.status == 412 && (a.header["Etag"] != nil || a.header.Get("Content-Type") != "application/json") {
				t.Errorf("header of a 412: %v", a.header)
			}
		}
	}
	r.wantStats(func(s *RequestStats) { s.Hits, s.Misses, s.BackendRequests = 7, 7, 7 })
}

func TestRanges(t *testing.T) {
	r := newRig(t)
	r.backend.serve(fixed(200, "0123456789", "Etag", `"v1"`, "Content-Type", "text/a"))
	for _, c := range []struct {
		ranges, ifRange string
		status          int
		body, content   string
	}{
		{"bytes=2-4", "", 206, "234", "bytes 2-4/10"},
		{"bytes=-3", "", 206, "789", "bytes 7-9/10"},
		{"bytes=8-100", "", 206, "89", "bytes 8-9/10"},
		{"bytes=10-", "", 416, `{"message":"Requested Range Not Satisfiable"}` + "\n", "bytes */10"},
		{"bytes=4-2", "", 200, "0123456789", ""},
		{"lines=1-2", "", 200, "0123456789", ""},
		{"bytes=0-0", `"v1"`, 206, "0", "bytes 0-0/10"},
		{"bytes=0-0", `"v2"`, 200, "0123456789", ""},
		{"bytes=0-0", `W/"v1"`, 200, "0123456789", ""},
		{"bytes=0-5,3-9", "", 200, "0123456789", ""},
		{"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8", "", 200, "0123456789", ""},
	} {
		for _, when := range []string{"fwd=uri-miss; stored", "hit"} {
			header := []string{"Range", c.ranges}
			if c.ifRange != "" {
				header = append(header, "If-Range", c.ifRange)
			}
			a := r.get("/prod/"+strings.Trim(c.ranges+c.ifRange, `"`)+"/"+fmt.Sprint(c.status), header...)
			if a.status != c.status || a.body != c.body || a.header.Get("Content-Range") != c.content || !strings.Contains(a.cache(), when) {
				t.Errorf("%s %s, %s: got %d %q, %q, %q", c.ranges, c.ifRange, when, a.status, a.body, a.header.Get("Content-Range"), a.cache())
			}
		}
	}

	a := r.get("/prod/multi", "Range", "bytes=0-1, -2,4-5")
	_, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if a.status != 206 || err != nil {
		t.Fatalf("several ranges: %d %q, %v", a.status, a.header.Get("Content-Type"), err)
	}
	if a.header.Get("Content-Length") != fmt.Sprint(len(a.body)) {
		t.Errorf("Content-Length is %s for %d bytes", a.header.Get("Content-Length"), len(a.body))
	}
	mr := multipart.NewReader(strings.NewReader(a.body), params["boundary"])
	for _, want := range []string{"bytes 0-1/10 01 text/a", "bytes 8-9/10 89 text/a", "bytes 4-5/10 45 text/a"} {
		p, err := mr.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(p)
		if got := fmt.Sprintf("%s %s %s", p.Header.Get("Content-Range"), b, p.Header.Get("Content-Type")); got != want {
			t.Errorf("part %q, want %q", got, want)
		}
	}
	if _, err := mr.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}

// What is for one client is asked for with that client's conditions, once it is known that nobody shares it.
func TestConditionsOfAPrivateAnswer(t *testing.T) {
	r := newRig(t)
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Cache-Control", "private")
		http.ServeContent(w, q, "x.txt", time.Time{}, strings.NewReader("0123456789"))
	})
	for range 2 {
		a := r.get("/prod/x", "Range", "bytes=3-4")
		r.want(a, 206, "34", "stagecache; fwd=uri-miss")
	}
	r.wantAsked(3) // the second request went with its range at once
}

func TestStaleWhileRevalidate(t *testing.T) {
	bubbled(t, func(t *testing.T, r *rig) {
		release := make(chan struct{}, 10)
		r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
			<-release
			fmt.Fprint(w, "v", r.backend.count())
		})
		release <- struct{}{}
		r.want(r.get("/prod/x"), 200, "v1", "stagecache; fwd=uri-miss; stored")
		r.clock.Advance(310 * time.Second)
		for range 5 {
			r.want(r.get("/prod/x"), 200, "v1", "stagecache; hit; ttl=-10")
		}
		r.want(r.do("HEAD", "/prod/x"), 200, "", "stagecache; hit; ttl=-10")
		synctest.Wait()
		r.wantAsked(2) // one refresh for all of them
		release <- struct{}{}
		synctest.Wait()
		r.want(r.get("/prod/x"), 200, "v2", "stagecache; hit; ttl=300")
		r.wantStats(func(s *RequestStats) { s.Hits, s.Misses, s.StaleServed, s.BackendRequests = 7, 1, 6, 2 })

		// Past the window it is a miss.
		r.clock.Advance(361 * time.Second)
		release <- struct{}{}
		r.want(r.get("/prod/x"), 200, "v3", "stagecache; fwd=uri-miss; stored")

		// A refresh whose answer may not be stored ends the stale one's use.
		r.clock.Advance(310 * time.Second)
		r.backend.serve(fixed(200, "mine", "Cache-Control", "private"))
		r.want(r.get("/prod/x"), 200, "v3", "stagecache; hit; ttl=-10")
		synctest.Wait()
		r.want(r.get("/prod/x"), 200, "mine", "stagecache; fwd=uri-miss")
	}, withStage("cache: {capacity: 64MB, memory: 48MB, stale_while_revalidate: 60s}"))
}

func TestStaleIfError(t *testing.T) {
	r := newRig(t, withStage("cache: {capacity: 64MB, memory: 48MB, stale_if_error: 60s}"))
	r.backend.serve(fixed(200, "good", "Etag", `"g"`))
	r.want(r.get("/prod/x"), 200, "good", "stagecache; fwd=uri-miss; stored")
	r.clock.Advance(310 * time.Second)
	for _, status := range []int{500, 502, 503, 504} {
		r.backend.serve(fixed(status, "bad"))
		r.want(r.get("/prod/x"), 200, "good", fmt.Sprintf("stagecache; fwd=stale; fwd-status=%d; ttl=-10; detail=stale-if-error", status))
	}
	if a := r.do("HEAD", "/prod/x"); a.status != 200 || a.header.Get("Age") != "310" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	if a := r.get("/prod/x", "If-None-Match", `"g"`); a.status != 304 {
		t.Errorf("a condition: %d", a.status)
	}
	r.backend.serve(fixed(404, "none"))
	r.want(r.get("/prod/x"), 404, "none", "stagecache; fwd=stale")
	r.backend.serve(fixed(200, "better"))
	r.want(r.get("/prod/x"), 200, "better", "stagecache; fwd=uri-miss; stored") // the 404 ended the stale entry
	r.clock.Advance(310 * time.Second)
	r.backend.Close()
	r.want(r.get("/prod/x"), 200, "better", "stagecache; fwd=stale; ttl=-10; detail=stale-if-error")
	r.clock.Advance(60 * time.Second)
	if a := r.get("/prod/x"); a.status != 502 {
		t.Errorf("past the window: %d", a.status)
	}
	if s := r.g.RequestStats("prod"); s.StaleServed != 7 || s.Hits != 7 || s.Misses != 4 {
		t.Errorf("counters: %+v", s)
	}
}

func TestSwitchingEncryptionOnMakesPlainEntriesMisses(t *testing.T) {
	r := newRig(t, withStage("cache: {capacity: 64MB, memory: 48MB, encrypt: false}"))
	r.backend.serve(byLanguage)
	r.get("/prod/x")
	r.want(r.get("/prod/x"), 200, "|", "stagecache; hit")
	r.stage = "cache: {capacity: 64MB, memory: 48MB, encrypt: true}"
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	r.want(r.get("/prod/x"), 200, "|", "stagecache; fwd=uri-miss; stored")
	r.want(r.get("/prod/x"), 200, "|", "stagecache; hit")
	r.stage = "cache: {capacity: 64MB, memory: 48MB, encrypt: false}"
	if err := r.reload(); err != nil {
		t.Fatal(err)
	}
	r.want(r.get("/prod/x"), 200, "|", "stagecache; hit") // an encrypted entry is good enough
	r.wantAsked(2)
}

// The gateway does not guess what a body is.
func TestNoContentTypeIsMadeUp(t *testing.T) {
	r := newRig(t, withStage(modeHTTP))
	r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
		w.Header()["Content-Type"] = nil
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "<html><script>")
	})
	for _, c := range []struct {
		path, cache string
		header      []string
	}{
		{"/prod/x", "stagecache; fwd=uri-miss; stored", nil},
		{"/prod/x", "stagecache; hit", nil},
		{"/prod/x", "stagecache; hit", []string{"Range", "bytes=0-5"}},
		{"/prod/x", "stagecache; hit", []string{"Connection", "x"}}, // by way of net/http in any case
		{"/prod/y", "stagecache; fwd=uri-miss", []string{"Cache-Control", "no-store"}},
		{"/prod/uncached", "stagecache; fwd=bypass", nil},
	} {
		a := r.get(c.path, c.header...)
		if a.header["Content-Type"] != nil || !strings.HasPrefix(a.cache(), c.cache) {
			t.Errorf("%s %v: %q, Content-Type %q", c.path, c.header, a.cache(), a.header["Content-Type"])
		}
	}
}

// A 304 is an answer to GET and HEAD (RFC 9110 13.1.2). A POST that is cached is asked once, whatever it puts as a condition.
func TestConditionsOfAPost(t *testing.T) {
	for name, header := range map[string][]string{"not stored": {"Cache-Control", "no-store"}, "stored": nil} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withMethods(`"POST /x": {caching: true}`))
			r.backend.serve(fixed(200, "result", append(header, "Etag", `"a"`)...))
			for _, condition := range []string{"If-None-Match", "If-Match"} {
				a := r.do("POST", "/prod/x", condition, `"a"`)
				if a.status != 200 || a.body != "result" || r.backend.count() > 2 {
					t.Errorf("%s: got %d %q, and the backend was asked %d times", condition, a.status, a.body, r.backend.count())
				}
			}
		})
	}
}
