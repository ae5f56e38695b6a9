package control

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// RemoteOptions say which gateway to administer over the network, and as whom.
type RemoteOptions struct {
	URL   string // of its admin.listen: "https://cache.example.com:9901"
	Token string // of a user of its configuration
	CA    []byte // PEM: authorities to believe instead of the system's; nil: the system's
}

// NewRemote is NewClient for a gateway that is reached over the network. It does not connect yet. A token is sent in the clear to
// this machine only.
func NewRemote(o RemoteOptions) (*Client, error) {
	u, err := url.Parse(strings.TrimSuffix(o.URL, "/"))
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, badRequest("write https://cache.example.com:9901", "the address of the gateway is not an http or https URL")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, badRequest("write https://"+u.Host+", or reach it through a tunnel to this machine", "a token would be sent in the clear to %s", u.Host)
	case o.Token == "":
		return nil, badRequest("", "there is no token")
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, ForceAttemptHTTP2: true,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
	}
	if o.CA != nil {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(o.CA) {
			return nil, badRequest("", "the file of authorities holds no PEM certificate")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &Client{
		place: u.String(), base: u.String(), token: o.Token,
		http: &http.Client{
			Transport: t,
			// A token goes where it was meant to go, and nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// loopback tells a host that is this machine.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// hintFor is what to do about a gateway that did not answer.
func (c *Client) hintFor(err error) string {
	if c.token == "" {
		return "is the gateway running, and with this configuration?"
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	if errors.As(err, &unknown) || errors.As(err, &name) {
		return "--ca FILE names the authority that signed its certificate; the URL must be a name that is in it"
	}
	return fmt.Sprintf("is the gateway running, with admin.listen, and is it reached at %s?", c.place)
}
