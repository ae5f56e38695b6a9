package demo

import (
	"fmt"
	"math"
	"strings"
	"time"
)

type review struct {
	ID       string    `json:"id"`
	Stars    int       `json:"stars"`
	Title    string    `json:"title"`
	Text     string    `json:"text"`
	Author   string    `json:"author"`
	Country  string    `json:"country"`
	Verified bool      `json:"verified_purchase"`
	Helpful  int       `json:"helpful"`
	Date     time.Time `json:"date"`
}

type reviews struct {
	ProductID int            `json:"product_id"`
	Rating    rating         `json:"rating"`
	Stars     map[string]int `json:"stars"` // how many gave one, two, ... five
	Reviews   []review       `json:"reviews"`
}

// newReviews writes a product's reviews. They are made when asked for, not kept: together they are several times
// the size of the catalogue.
func newReviews(id int) reviews {
	r := source(reviewStream, uint64(id))
	// Few products have many reviews: the square pulls the numbers down.
	n := 2 + int(math.Pow(r.Float64(), 2)*40)
	out := reviews{ProductID: id, Stars: make(map[string]int), Reviews: make([]review, n)}
	for s := 1; s <= 5; s++ {
		out.Stars[fmt.Sprint(s)] = 0
	}
	sum := 0
	for i := range out.Reviews {
		stars := 5 - min(r.IntN(5), r.IntN(5)) // customers are kind
		mood := 0
		if stars == 3 {
			mood = 1
		} else if stars > 3 {
			mood = 2
		}
		sum += stars
		out.Stars[fmt.Sprint(stars)]++
		out.Reviews[i] = review{
			ID: fmt.Sprintf("r%d-%d", id, i+1), Stars: stars, Title: pick(r, reviewTitles[mood]),
			Text:   strings.Join(some(r, reviewTexts[mood], 1, 5), " "),
			Author: pick(r, firstNames) + " " + string(rune('A'+r.IntN(26))) + ".", Country: pick(r, countries),
			Verified: r.IntN(5) > 0, Helpful: r.IntN(60),
			Date: opened.Add(-time.Duration(r.IntN(600*24*3600)) * time.Second),
		}
	}
	out.Rating = rating{Average: math.Round(float64(sum)/float64(n)*10) / 10, Count: n}
	return out
}

// newest is when the last review came in.
func (rs reviews) newest() time.Time {
	var t time.Time
	for _, r := range rs.Reviews {
		if r.Date.After(t) {
			t = r.Date
		}
	}
	return t
}
