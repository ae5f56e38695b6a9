// Package stored is the format of what the gateway keeps in a store: one answer of a backend, or a marker that says by which
// request headers the answers of a resource differ.
//
// An answer is a head followed by the body, so that a hit writes the body straight from the value that the store gave:
//
//	a, err := stored.Decode(value)
//	a.CopyTo(w.Header(), nil, 0)
//	w.WriteHeader(a.Status)
//	w.Write(a.Body)
//
// A writer appends the head with [AppendHead], the body behind it, and at the end, when it knows how long the backend took,
// calls [SetFetch].
//
// The bytes come from a store that has authenticated them, yet every length is checked: nothing here panics or allocates
// more than its input, whatever the bytes. The first byte is the version of the format. A value of another version is
// [ErrFormat], which a caller takes for a miss; an older program's entries then expire unread.
package stored
