// Package overrides keeps what was set at run time over what the configuration file says: a stage's cache (on or off, sizes)
// and the settings of its entries ("*", "GET /products/{id}").
//
//	m, err := overrides.Open(dataDir, log)
//	cfg := m.Merge(file)                         // what works: the file with what was set over it
//	err = m.Change(ctx, "prod", overrides.Change{...})
//
// An override wins as a whole. The first change of an entry copies the values that it has then; whatever the file or another
// entry says later, it keeps them until it is removed. A cache's override likewise. This is API Gateway's rule for method
// settings ("copy, not inheritance").
//
// They are kept in <data_dir>/overrides.json, which is replaced as a whole: a change that was acknowledged survives a crash. Those
// of a stage that is not configured are kept for when it comes back. The format has a version; a newer one is an error, and a
// file that cannot be read is set aside (overrides.json.damaged) and reported.
package overrides
