package gateway

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

// What the backend sends in the place of what is missing to a part is used only if it is that, and all of it.
func TestARestThatIsNone(t *testing.T) {
	const whole = "0123456789"
	for _, c := range []struct {
		name    string
		status  int
		header  []string
		body    string
		length  int // 0: that of body; -1: none is told
		want    string
		asked   int
		stored  bool
		aborted bool
	}{
		{name: "the rest", status: 206, header: []string{"Content-Range", "bytes 4-9/10", "Etag", `"a"`}, body: whole[4:], want: whole, asked: 2, stored: true},
		{name: "another body's", status: 206, header: []string{"Content-Range", "bytes 4-9/10", "Etag", `"b"`}, body: whole[4:], want: whole, asked: 3, stored: true},
		{name: "nobody's", status: 206, header: []string{"Content-Range", "bytes 4-9/10"}, body: whole[4:], want: whole, asked: 3, stored: true},
		{name: "of another size", status: 206, header: []string{"Content-Range", "bytes 4-10/11", "Etag", `"a"`}, body: "4567890", want: whole, asked: 3, stored: true},
		{name: "another part", status: 206, header: []string{"Content-Range", "bytes 3-9/10", "Etag", `"a"`}, body: whole[3:], want: whole, asked: 3, stored: true},
		{name: "without a length", status: 206, header: []string{"Content-Range", "bytes 4-9/10", "Etag", `"a"`}, body: whole[4:], length: -1, want: whole, asked: 3, stored: true},
		{name: "longer than it says", status: 206, header: []string{"Content-Range", "bytes 4-9/10", "Etag", `"a"`}, body: "4567890", want: whole, asked: 3, stored: true},
		{name: "not satisfiable", status: 416, header: []string{"Content-Range", "bytes */4"}, want: whole, asked: 3, stored: true},
		{name: "cut short", status: 206, header: []string{"Content-Range", "bytes 4-9/10", "Etag", `"a"`}, body: "45", length: 6, aborted: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, withStage(modeHTTP))
			r.backend.serve(func(w http.ResponseWriter, q *http.Request) {
				h := w.Header()
				h.Set("Cache-Control", "max-age=60")
				switch q.Header.Get("Range") {
				case "bytes=0-3":
					h.Set("Etag", `"a"`)
					h.Set("Content-Range", "bytes 0-3/10")
					w.WriteHeader(http.StatusPartialContent)
					io.WriteString(w, whole[:4])
				case "bytes=4-9":
					for i := 0; i < len(c.header); i += 2 {
						h.Set(c.header[i], c.header[i+1])
					}
					switch {
					case c.length > 0:
						h.Set("Content-Length", fmt.Sprint(c.length))
					case c.length == 0:
						h.Set("Content-Length", fmt.Sprint(len(c.body)))
					}
					w.WriteHeader(c.status)
					if c.length < 0 {
						w.(http.Flusher).Flush()
					}
					io.WriteString(w, c.body)
				default:
					io.WriteString(w, whole)
				}
			})
			r.get("/prod/x", "Range", "bytes=0-3")
			a, err := r.try(t.Context(), "GET", "/prod/x", "")
			if c.aborted != (err != nil || a.err != nil) {
				t.Fatalf("got %d %q, %v, %v", a.status, a.body, a.err, err)
			}
			if !c.aborted && (a.status != 200 || a.body != c.want) {
				t.Errorf("got %d %q", a.status, a.body)
			}
			if !c.aborted { // else the client may have asked again by itself
				r.wantAsked(c.asked)
			}
			before := r.backend.count()
			r.backend.serve(fixed(200, whole))
			r.want(r.get("/prod/x"), 200, whole, "stagecache; ")
			if got := r.backend.count() == before; got != c.stored {
				t.Errorf("is stored: %t", got)
			}
		})
	}
}
