package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// verbs that an entry of methods may name.
var verbs = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"}

// validName holds stage names to what is safe as a folder, in a URL and in an ARN, and to API Gateway's own rule.
func validName(s string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s, nameChars) == ""
}

// token tells whether s can be the name of a header or a cookie (RFC 9110, 5.6.2).
func token(s string) bool {
	return s != "" && strings.Trim(s, nameChars+"!#$%&'*+.^`|~") == ""
}

// checkLiteral holds one literal part of a path template to what can stand in a request's path, and gives it decoded.
func checkLiteral(s string) (string, error) {
	decoded, err := url.PathUnescape(s)
	if err != nil {
		return "", fmt.Errorf(`%s: "%%" must be followed by two hexadecimal digits`, quote(s))
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '*':
			return "", errors.New(`"*" is not a wildcard here: write {name} for one part, {name+} for the rest`)
		case c <= ' ' || c == 0x7f || strings.IndexByte("?#\\\"<>^`|", c) >= 0:
			return "", fmt.Errorf("the part %s has a character that a path cannot hold", quote(s))
		}
	}
	if decoded == "." || decoded == ".." || strings.ContainsFunc(decoded, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }) {
		return "", fmt.Errorf("the part %s never reaches a route", quote(s))
	}
	return decoded, nil
}

// maxPath bounds templates and base paths, in bytes.
const maxPath = 1024

// template is a route template, taken apart.
type template struct {
	text   string
	shape  string   // with the parameters' names left out: two templates of one shape match the same paths
	params []string // in order
}

func parseTemplate(s string) (template, error) {
	t := template{text: s}
	if !strings.HasPrefix(s, "/") {
		return t, errors.New(`a path template begins with "/"`)
	}
	if s == "/" {
		t.shape = s
		return t, nil
	}
	if len(s) > maxPath {
		return t, fmt.Errorf("a path template is at most %d bytes long", maxPath)
	}
	parts := strings.Split(s[1:], "/")
	for i, part := range parts {
		name, isParam := strings.CutPrefix(part, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch {
		case part == "" && i == len(parts)-1:
			return t, errors.New(`a path template does not end with "/" (a request's last "/" is ignored)`)
		case part == "":
			return t, errors.New("a path template has no empty parts")
		case isParam && closed:
			name, greedy := strings.CutSuffix(name, "+")
			if name == "" || strings.Trim(name, nameChars+".$") != "" {
				return t, fmt.Errorf("%s is not a parameter such as {id} or {proxy+}", quote(part))
			}
			if greedy && i < len(parts)-1 {
				return t, fmt.Errorf("%s can only be the last part", quote(part))
			}
			if contains(t.params, name) {
				return t, fmt.Errorf("the parameter %s is named twice", quote(name))
			}
			t.params = append(t.params, name)
			t.shape += "/{}"
			if greedy {
				t.shape = strings.TrimSuffix(t.shape, "}") + "+}"
			}
		case strings.ContainsAny(part, "{}"):
			return t, fmt.Errorf("%s: a parameter is a whole part of the path, as in /products/{id}", quote(part))
		default:
			literal, err := checkLiteral(part)
			if err != nil {
				return t, err
			}
			t.shape += "/" + url.PathEscape(literal)
		}
	}
	return t, nil
}

func checkBasePath(s string) error {
	switch {
	case !strings.HasPrefix(s, "/"):
		return errors.New(`a base path begins with "/"`)
	case s == "/":
		return nil
	case len(s) > maxPath:
		return fmt.Errorf("a base path is at most %d bytes long", maxPath)
	case strings.HasSuffix(s, "/"):
		return errors.New(`a base path does not end with "/"`)
	}
	for _, part := range strings.Split(s[1:], "/") {
		if part == "" {
			return errors.New("a base path has no empty parts")
		}
		if strings.ContainsAny(part, "{}") {
			return errors.New("a base path has no parameters but {stage}")
		}
		// Compared byte by byte with the request's path, so that only what has one spelling is taken.
		if part == "." || part == ".." || strings.Trim(part, nameChars+".~") != "" {
			return fmt.Errorf("%s: a base path is made of letters, digits, -, _, . and ~", quote(part))
		}
	}
	return nil
}

// cleanHost checks a host name or address and gives it in the form that hosts are compared in.
func cleanHost(s string) (string, error) {
	h := strings.ToLower(strings.TrimSuffix(s, "."))
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(h, "["), "]")); err == nil && a.Zone() == "" {
		if a.Is6() {
			return "[" + a.String() + "]", nil
		}
		return a.String(), nil
	}
	switch {
	case strings.Contains(h, "://"):
		return "", errors.New("is a URL, not a host name")
	case strings.Contains(h, "*"):
		return "", errors.New("has a wildcard, which hosts do not support")
	case strings.Contains(h, ":"):
		return "", errors.New("has a port; hosts are compared without it")
	case len(h) > 253:
		return "", errors.New("is longer than 253 characters")
	}
	for _, part := range strings.Split(h, ".") {
		if part == "" || len(part) > 63 || strings.Trim(part, nameChars) != "" || part[0] == '-' || part[len(part)-1] == '-' {
			return "", errors.New("is not a host name")
		}
	}
	return h, nil
}

func checkListen(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("must be host:port")
	}
	if !validPort(port, 0) {
		return fmt.Errorf("the port %s is not a number up to 65535", quote(port))
	}
	if host == "" {
		return nil // every address of the machine
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if _, err := cleanHost(host); err != nil {
		return fmt.Errorf("the host %s is neither an address nor a host name", quote(host))
	}
	return nil
}

func validPort(s string, least uint64) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n >= least
}

// parseNetwork reads a CIDR, or an address that stands for itself alone. Its second result is a hint.
func parseNetwork(s string) (netip.Prefix, string, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), "", nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, "write 10.0.0.0/8 or 192.0.2.7", fmt.Errorf("%s is neither a network nor an address", quote(s))
	}
	if p.Masked() != p {
		return p, "write " + p.Masked().String(), fmt.Errorf("%s has bits set after its prefix", quote(s))
	}
	return p, "", nil
}

// keyParameter takes apart "method.request.path.NAME". The second result is a hint.
func keyParameter(s string) (location, name, hint string, err error) {
	const want = "write method.request.path.NAME, method.request.querystring.NAME or method.request.header.NAME"
	parts := strings.SplitN(s, ".", 4)
	if len(parts) < 3 || parts[0] != "method" && parts[0] != "integration" || parts[1] != "request" {
		return "", "", want, fmt.Errorf("%s is not a parameter of the request", quote(s))
	}
	switch parts[2] {
	case "path", "querystring", "header":
	case "body":
		return "", "", want, errors.New("the body cannot be part of the key")
	case "multivaluequerystring", "multivalueheader":
		return "", "", want, errors.New("a multi-value parameter cannot be part of the key")
	default:
		return "", "", want, fmt.Errorf("%s is not a place that parameters come from", quote(parts[2]))
	}
	if len(parts) < 4 || parts[3] == "" || strings.Contains(parts[3], " ") ||
		parts[2] == "header" && !token(parts[3]) || parts[2] == "path" && strings.Trim(parts[3], nameChars+".$") != "" {
		return "", "", want, fmt.Errorf("%s does not name a parameter", quote(s))
	}
	return parts[2], parts[3], "", nil
}
