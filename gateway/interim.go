package gateway

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"

	"stagecache/gateway/policy"
)

// interim is an answer before the answer (RFC 9110 15.2), such as 103 with what a page will need. It is passed on as it
// comes, and never stored.
type interim struct {
	status int
	header http.Header
}

// maxInterim bounds how many a fetch keeps for a holder that is slow to read.
const maxInterim = 16

// hear makes the requests of a context tell the fill what the backend says before its answer.
func (f *fill) hear(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
			if status == http.StatusContinue {
				return nil // it is about the request's body, and ends here
			}
			h := http.Header(header).Clone()
			policy.RemoveHopByHop(h)
			f.mu.Lock()
			defer f.mu.Unlock()
			if len(f.interim) < maxInterim && !f.holderGone {
				f.interim = append(f.interim, interim{status, h})
				f.changed()
			}
			return nil
		},
	})
}

// sendInterim passes one on to the client, unless it speaks a version that has none.
func (x *exchange) sendInterim(i interim) {
	if !x.r.ProtoAtLeast(1, 1) || x.w.status != 0 {
		return
	}
	h := x.w.Header()
	for name, values := range i.header {
		h[name] = values
	}
	x.w.deadline()
	x.w.WriteHeader(i.status)
	for name := range i.header {
		delete(h, name)
	}
}
