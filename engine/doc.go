// Package engine is an encrypted, persistent, two-tier cache that can be embedded: one Store per stage of a gateway, or per
// whatever else wants its own capacity and its own flush.
//
// Most callers need Open, Get and Lease. A miss is filled under a lease, so that one caller asks the source however many
// want the key, and so that an answer that was fetched before a purge is never stored after it:
//
//	e, err := store.Get(buf[:0], key)
//	if errors.Is(err, engine.ErrMiss) {
//		l, err := store.Lease(ctx, key, engine.LeaseOptions{})
//		switch {
//		case err != nil:          // closed, or ctx ended
//		case l.Found != nil:      // it came in the meantime
//		case l.Held:              // ask the source, then l.Put(value, meta) or l.Abandon(err)
//		default:                  // e, err = l.Wait(ctx)
//		}
//	}
//
// Every stored entry goes to memory at once and to a bounded write-behind queue for the disk. Get looks in memory, then on
// disk; what it finds on disk is copied back to memory. A record is on disk about one second after its Put, two where
// the store is full and is written to without a pause;
// a crash before that loses it, and then the version before it may answer once more until it expires.
//
// Purges and flushes are durable before they return. A purge is not a scan: it writes what was purged, with the value of a
// logical clock, and an entry filled before that moment is a miss (see Target). A flush begins a new generation with new
// keys; the old one's key is destroyed, its files are removed in the background.
//
// Keys: Options.Key is the root key, from package crypto. It wraps the keys of the current generation in the file stage.key.
// A wrong root key is a *crypto.WrongKeyError and changes nothing on disk. What is on disk carries a format version: a
// newer one is an error, an older one that cannot be read any more begins a new generation.
//
// All methods may be called from many goroutines. The bytes of a value that was handed to Put are copied.
package engine
