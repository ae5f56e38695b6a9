// Package demo is a small shop API, held in memory, that stands in for a backend: "cachectl serve --demo" puts the
// gateway in front of it, and tests use it where they need answers that look like real ones.
//
// [New] gives an [http.Handler]. The catalogue is generated from word lists with a fixed seed, so product 42 is
// the same product in every process and on every machine, byte for byte. What it answers:
//
//	GET  /                              an index of the paths below
//	GET  /products?page=&per_page=&category=   a page of products; per_page is at most 50
//	GET  /products/{id}                 one product
//	GET  /products/{id}/reviews         its reviews
//	GET  /categories                    all categories, named in the client's language (Vary: Accept-Language)
//	GET  /categories/{slug}/products    a page of one category
//	GET  /search?q=                     a page of the products that match every word
//	GET  /cart                          one visitor's cart: private, with Set-Cookie; a shared cache must not keep it
//	POST /orders                        201 for a body such as {"items":[{"product_id":42,"quantity":1}]}
//	GET  /health                        no-store
//	GET  /slow?ms=                      answers after that many milliseconds, at most [MaxSlow]
//	GET  /large                         streams [LargeSize] bytes or a little more: larger than a cache's max_object
//	GET  /error?status=                 answers with that status, 400 to 599
//
// Answers from the catalogue carry a strong ETag, Last-Modified, Cache-Control and Cache-Tag (product-42,
// category-shoes), are between [MinAnswer] and [MaxAnswer] bytes long, and honour conditional and range requests.
// Errors are JSON too. Nothing is compressed here.
//
// The shop counts what it is asked ([Shop.Requests], [Shop.RequestsTo]): that is how a demonstration shows that a
// cache in front of it asked only once. It is no place for real data and has no protection of its own; serve it
// on a loopback address.
package demo
