package policy

import "encoding/binary"

// The first byte of a key: what kind it is, and which version of the encoding.
// No key of one kind can equal one of another.
const (
	kindFull     = 0x01
	kindDeclared = 0x02
	kindVariant  = 0x03
	kindLanguage = 0x04
	kindPart     = 0x05
)

// NamedValues is a named part of a key: a header, a cookie or a declared
// parameter. Present tells an absent one from one that is there and empty.
type NamedValues struct {
	Name    string
	Values  []string
	Present bool
}

// KeyInput is what the full key is made of (design: key mode full). Every
// difference in it is a different entry.
type KeyInput struct {
	Method  string // GET also for HEAD, which is answered from GET's entry
	Scheme  string
	Host    string // from CleanHost
	Path    string // escaped, with the base path, byte for byte
	Query   string // from Query, the same that is forwarded
	Headers []NamedValues
	Cookies []NamedValues // see Cookie
}

// AppendKey appends the key of in to dst. The encoding is unambiguous: a version
// byte, then every part with its length before it, so that no value can spill
// into the next one, whatever bytes a client puts into it (cache key injection).
// Two inputs that differ never give the same bytes. It does not allocate if dst
// has room.
func AppendKey(dst []byte, in KeyInput) []byte {
	dst = append(dst, kindFull)
	dst = appendString(dst, in.Method)
	dst = appendString(dst, in.Scheme)
	dst = appendString(dst, in.Host)
	dst = appendString(dst, in.Path)
	dst = appendString(dst, in.Query)
	dst = appendNamed(dst, in.Headers)
	return appendNamed(dst, in.Cookies)
}

// DeclaredInput is what the key of API Gateway is made of (key mode declared).
type DeclaredInput struct {
	Namespace string // cacheNamespace; by default the resource's own name
	Method    string
	Parts     []NamedValues // one per cacheKeyParameters entry, in its order
}

// AppendDeclaredKey appends the key that API Gateway documents ("Enable API
// caching to enhance responsiveness", use method or integration parameters as
// cache keys): the cache namespace and the values of the declared parameters,
// and nothing else of the URL. With no parameters all requests to a method share
// one entry. An absent parameter is a value of its own. AWS does not say whether
// the verb is part of the key; here it is.
func AppendDeclaredKey(dst []byte, in DeclaredInput) []byte {
	dst = append(dst, kindDeclared)
	dst = appendString(dst, in.Namespace)
	dst = appendString(dst, in.Method)
	return appendNamed(dst, in.Parts)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendNamed(dst []byte, parts []NamedValues) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(parts)))
	for i := range parts {
		p := &parts[i]
		dst = appendString(dst, p.Name)
		dst = appendBool(dst, p.Present)
		dst = binary.AppendUvarint(dst, uint64(len(p.Values)))
		for _, v := range p.Values {
			dst = appendString(dst, v)
		}
	}
	return dst
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}
