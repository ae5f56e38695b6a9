package stored

// kindAlias is another key's name for a variant.
const kindAlias = 'L'

// AppendAlias appends an alias: a value that says under which key a variant is stored.
func AppendAlias(dst, variant []byte) []byte {
	return append(append(dst, version, kindAlias, 0), variant...)
}

// DecodeAlias gives the key that an alias names, as a view into the value.
func DecodeAlias(value []byte) (variant []byte, ok bool) {
	if !isKind(value, kindAlias) || len(value) == 3 {
		return nil, false
	}
	return value[3:], true
}
