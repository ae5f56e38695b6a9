package admin

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// hostAllowed tells whether a request was meant for us. A page whose name was made to lead here (DNS rebinding) sends that
// name: so only names that we know pass, and addresses, which need no name to lead anywhere.
func (d *door) hostAllowed(r *http.Request) bool {
	host := strings.ToLower(r.Host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
	if host == "localhost" || slices.ContainsFunc(d.o.Hosts, func(h string) bool { return strings.Trim(h, "[]") == host }) {
		return true
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return a.Unmap().IsLoopback() || a.Unmap() == localAddr(r)
}

// localAddr is the address that the connection came in at.
func localAddr(r *http.Request) netip.Addr {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if addr == nil {
		return netip.Addr{}
	}
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

var errCrossSite = errors.New("cross-site")

// sameSite refuses what a page of another site made a browser send. There is no page of ours that would send anything, so
// only what a person typed (none) and what no browser sent passes, whatever the method.
func (d *door) sameSite(r *http.Request) error {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return errCrossSite
	}
	if r.Method == http.MethodOptions { // a preflight: there is no CORS to allow
		return errCrossSite
	}
	// To a page of any site a browser opens web sockets, and there is nothing here to talk to through one.
	if r.Header["Sec-Websocket-Key"] != nil || strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return errCrossSite
	}
	// net/http's check lets reading pass, and takes "null" for an origin as good as none where the method is safe.
	for _, origin := range r.Header["Origin"] {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return errCrossSite
		}
	}
	return d.cross.Check(r)
}
