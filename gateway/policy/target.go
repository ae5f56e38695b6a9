package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

func isControl(c byte) bool { return c < 0x20 || c == 0x7f }

// CheckTarget refuses the request targets that front ends, caches and backends
// are known to read differently (http caching notes on path normalisation;
// RFC 9112 3.2 and 11.2): control bytes and NUL, raw or encoded, backslashes,
// raw or encoded, a "#", a raw space, and in the path a "%" that begins no
// escape. The caller answers 400 and forwards nothing.
//
// In the query, an encoded tab, line feed or carriage return, and a backslash,
// are ordinary text (a note with two lines, a regular expression) and pass: the
// query is keyed and forwarded byte for byte, so nobody reads it differently.
func CheckTarget(escapedPath, rawQuery string) error {
	if err := checkBytes("path", escapedPath, false); err != nil {
		return err
	}
	return checkBytes("query", rawQuery, true)
}

func checkBytes(where, s string, query bool) error {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isControl(c):
			return fmt.Errorf("the %s holds a control byte (0x%02x)", where, c)
		case c == ' ':
			return fmt.Errorf("the %s holds a space: write %%20", where)
		case c == '#':
			return fmt.Errorf("the %s holds a \"#\": a fragment is never sent, write %%23", where)
		case c == '\\' && !query:
			return fmt.Errorf("the %s holds a backslash", where)
		case c == '%':
			d, ok := escapeAt(s, i)
			switch {
			case !ok && query: // "?discount=5%" is common, and kept as it is
			case !ok:
				return fmt.Errorf("the %s holds a \"%%\" without two hexadecimal digits", where)
			case query && (d == '\t' || d == '\n' || d == '\r'):
			case isControl(d):
				return fmt.Errorf("the %s holds an encoded control byte (%s)", where, s[i:i+3])
			case d == '\\' && !query:
				return fmt.Errorf("the %s holds an encoded backslash (%s)", where, s[i:i+3])
			}
		}
	}
	return nil
}

var errHost = errors.New("the host is empty")

// maxHost is the longest name that the DNS knows, in its text form.
const maxHost = 253

// CleanHost brings a Host or :authority to the one form that is compared and
// keyed: lower case, without the scheme's default port, without the trailing
// dot of a fully qualified name, an IPv6 address in its shortest form (RFC 3986
// 3.2.2, 3.2.3 and 6.2.3; RFC 9110 4.2.3). Names are letters, digits, "-", "_"
// and "."; anything else, user information and zones included, is an error, for
// which the caller answers 400. A host that is clean already is returned as it
// is, without allocating.
func CleanHost(hostport, scheme string) (string, error) {
	if hostport == "" {
		return "", errHost
	}
	host, port, err := splitHost(hostport)
	if err != nil {
		return "", err
	}
	clean, err := cleanName(host)
	if err != nil {
		return "", err
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", fmt.Errorf("host %q: the port is not a number from 1 to 65535", hostport)
		}
		if scheme == "http" && n == 80 || scheme == "https" && n == 443 {
			port = ""
		} else if port[0] == '0' {
			port = strconv.FormatUint(n, 10)
		}
	}
	if port == "" {
		return clean, nil
	}
	if len(clean)+1+len(port) == len(hostport) && clean == host {
		return hostport, nil
	}
	return clean + ":" + port, nil
}

// splitHost cuts the port off; the brackets of an IPv6 address stay.
func splitHost(s string) (host, port string, err error) {
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", fmt.Errorf("host %q: \"]\" is missing", s)
		}
		host, s = s[:end+1], s[end+1:]
		if s == "" {
			return host, "", nil
		}
		if s[0] != ':' {
			return "", "", fmt.Errorf("host %q: only a port may follow the address", host+s)
		}
		return host, s[1:], nil
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port, nil
}

func cleanName(host string) (string, error) {
	if host != "" && host[0] == '[' {
		addr, err := netip.ParseAddr(host[1 : len(host)-1])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", fmt.Errorf("host %q: not an IPv6 address", host)
		}
		var room [64]byte
		b := append(room[:0], '[')
		b = append(addr.AppendTo(b), ']')
		if string(b) == host {
			return host, nil
		}
		return string(b), nil
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" {
		return "", errHost
	}
	if host[len(host)-1] == '.' {
		return "", fmt.Errorf("host %q: a label is empty", host+".")
	}
	if len(host) > maxHost {
		return "", fmt.Errorf("the host is longer than %d bytes", maxHost)
	}
	for i := 0; i < len(host); i++ {
		c := host[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && i > 0 && host[i-1] != '.':
		case c == '.':
			return "", fmt.Errorf("host %q: a label is empty", host)
		default:
			return "", fmt.Errorf("host %q: holds the byte 0x%02x, which a host name cannot", host, c)
		}
	}
	return strings.ToLower(host), nil
}

// DecodedPath decodes the percent escapes of a path once, for matching purges:
// whoever purges /caf%C3%A9 means every spelling of it. It never fails; what is
// no escape stays as it is. Never build a key or a backend's URL from it.
func DecodedPath(escaped string) string { return decoded(escaped, false) }
