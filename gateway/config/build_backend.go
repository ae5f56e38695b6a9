package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"strings"
)

// pair is a certificate with its key: both or neither.
func (b *builder) pair(v *value) TLS {
	var t TLS
	cert, key := str(v.get("cert_file"), ""), str(v.get("key_file"), "")
	switch {
	case cert == "" && key == "":
		return t
	case cert == "" && !wrong(v.get("cert_file")):
		b.add(v.line, v.field, "set cert_file too", "key_file without cert_file")
	case key == "" && !wrong(v.get("key_file")):
		b.add(v.line, v.field, "set key_file too", "cert_file without key_file")
	case cert != "" && key != "":
		t = TLS{CertFile: b.path(cert), KeyFile: b.path(key)}
		b.checkPair(v, t.CertFile, t.KeyFile)
	}
	return t
}

// wrong tells a value that was reported already from one that is not there.
func wrong(v *value) bool { return v != nil && v.bad }

func (b *builder) checkPair(v *value, cert, key string) {
	if b.o.SkipFiles {
		return
	}
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		b.add(v.line, v.field, "", "%s", err)
	}
}

func (b *builder) backends(v *value) map[string]*Backend {
	out := make(map[string]*Backend)
	if v == nil {
		return out
	}
	for _, name := range v.names {
		e := v.keys[name]
		if !validName(strings.ReplaceAll(name, ".", "-")) {
			b.add(e.line, e.field, "", "a backend's name is 1 to 128 letters, digits, -, _ or .")
		}
		out[name] = b.backend(name, e)
	}
	return out
}

func (b *builder) backend(name string, v *value) *Backend {
	k := &Backend{Name: name, Timeout: defaultTimeout, MaxConnections: defaultMaxConnections}
	u := v.get("url")
	if str(u, "") != "" {
		var err error
		if k.URL, err = parseBackendURL(u.text); err != nil {
			b.add(u.line, u.field, "write http://127.0.0.1:9000", "%s", err)
		}
	} else if !wrong(u) && !v.bad {
		b.add(v.line, v.field, "write url: http://127.0.0.1:9000", "has no url")
	}
	if t := v.get("timeout"); t.ok() {
		k.Timeout = t.dur
		if t.dur <= 0 || t.dur > longestTimeout {
			b.add(t.line, t.field, "", "%s is not between 1ms and %s", quote(t.text), FormatDuration(longestTimeout))
		}
	}
	if m := v.get("max_connections"); m.ok() {
		if m.num < 1 || m.num > mostConnections {
			b.add(m.line, m.field, "", "%d is not between 1 and %d", m.num, mostConnections)
		} else {
			k.MaxConnections = int(m.num)
		}
	}
	if p := v.get("preserve_host"); p.ok() {
		k.PreserveHost = p.flag
	}
	b.backendTLS(v.get("tls"), k)
	return k
}

func (b *builder) backendTLS(v *value, k *Backend) {
	ca, cert, key := str(v.get("ca"), ""), str(v.get("cert"), ""), str(v.get("key"), "")
	if ca == "" && cert == "" && key == "" {
		return
	}
	if k.URL != nil && k.URL.Scheme == "http" {
		b.add(v.line, v.field, "write https in the url, or leave tls out", "has no effect on an http backend")
		return
	}
	if (cert == "") != (key == "") && !wrong(v.get("cert")) && !wrong(v.get("key")) {
		b.add(v.line, v.field, "set both or neither", "cert and key belong together")
	}
	if ca != "" {
		k.TLS.CA = b.path(ca)
		if err := b.checkCA(k.TLS.CA); err != nil {
			b.add(v.get("ca").line, v.get("ca").field, "", "%s", err)
		}
	}
	if cert != "" && key != "" {
		k.TLS.Cert, k.TLS.Key = b.path(cert), b.path(key)
		b.checkPair(v, k.TLS.Cert, k.TLS.Key)
	}
}

func (b *builder) checkCA(file string) error {
	if b.o.SkipFiles {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return errors.New(quote(file) + " holds no PEM certificate")
	}
	return nil
}

// parseBackendURL never shows the URL in its errors: it may hold a password.
func parseBackendURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Opaque != "":
		return nil, errors.New("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("names no host")
	case u.User != nil:
		return nil, errors.New("must not hold a user or password")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, errors.New("must not have a query")
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, errors.New("must not have a fragment")
	}
	if strings.HasSuffix(u.Host, ":") || u.Port() != "" && !validPort(u.Port(), 1) {
		return nil, errors.New("has a port that is not a number from 1 to 65535")
	}
	if _, err := cleanHost(u.Hostname()); err != nil {
		return nil, errors.New("names a host that is not valid")
	}
	return u, nil
}
