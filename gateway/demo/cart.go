package demo

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strings"
)

const (
	cartCookie    = "cart"
	maxOrderBytes = 64 << 10
	maxOrderItems = 100
	maxQuantity   = 1000
)

type cartItem struct {
	ProductID int    `json:"product_id"`
	Name      string `json:"name"`
	Quantity  int    `json:"quantity"`
	Price     money  `json:"price"`
}

// showCart answers with what lies in the visitor's cart, which depends on the cookie: were it served to anybody else,
// that would show.
func (s *Shop) showCart(w http.ResponseWriter, r *http.Request) {
	id := rand.Text() // 128 bits and more: nobody guesses another visitor's cart
	if c, err := r.Cookie(cartCookie); err == nil && cartID(c.Value) {
		id = c.Value
	}
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	random := source(cartStream, h.Sum64())
	items := make([]cartItem, 1+random.IntN(4))
	for i := range items {
		p := &s.catalog.products[random.IntN(len(s.catalog.products))]
		items[i] = cartItem{ProductID: p.ID, Name: p.Name, Quantity: 1 + random.IntN(3), Price: p.Price}
	}
	http.SetCookie(w, &http.Cookie{Name: cartCookie, Value: id, Path: "/", MaxAge: 7 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	w.Header().Set("Cache-Control", "private")
	answerPrivate(w, http.StatusOK, map[string]any{"cart": id, "items": items})
}

// cartID accepts only what we have given out ourselves.
func cartID(s string) bool {
	return len(s) == len(rand.Text()) && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

type orderItem struct {
	ProductID int `json:"product_id"`
	Quantity  int `json:"quantity"`
}

// placeOrder checks an order and confirms it. Orders are counted, not kept.
func (s *Shop) placeOrder(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Items []orderItem `json:"items"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrderBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			fail(w, http.StatusRequestEntityTooLarge, "an order may have at most %d bytes", maxOrderBytes)
		case errors.Is(err, io.EOF):
			fail(w, http.StatusBadRequest, `the body is empty; send {"items":[{"product_id":42,"quantity":1}]}`)
		default:
			fail(w, http.StatusBadRequest, "the body is not an order: %v", err)
		}
		return
	}
	if err := s.check(in.Items); err != nil {
		fail(w, http.StatusUnprocessableEntity, "%v", err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	answerPrivate(w, http.StatusCreated, map[string]any{
		"order": fmt.Sprintf("o-%06d", s.orders.Add(1)), "status": "accepted", "items": in.Items,
	})
}

func (s *Shop) check(items []orderItem) error {
	if len(items) == 0 || len(items) > maxOrderItems {
		return fmt.Errorf("an order has 1 to %d items, not %d", maxOrderItems, len(items))
	}
	for i, item := range items {
		if s.catalog.product(item.ProductID) == nil {
			return fmt.Errorf("item %d: there is no product %d", i+1, item.ProductID)
		}
		if item.Quantity < 1 || item.Quantity > maxQuantity {
			return fmt.Errorf("item %d: the quantity must be 1 to %d, not %d", i+1, maxQuantity, item.Quantity)
		}
	}
	return nil
}
