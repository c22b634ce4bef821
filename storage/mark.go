package storage

import (
	"context"
	"errors"
)

// ErrForgotten means that a state can't be shown again: it is no longer kept, or the mark was not made by this store.
var ErrForgotten = errors.New("storage: the marked state is no longer kept")

// Mark names the state that a view showed. It is opaque, some ten bytes long, and has no data of the store in it. "" names none.
type Mark string

// Marker is a Reader that can name what it shows. Readers of a Store may be ones; whoever asks finds out by a type assertion.
type Marker interface {
	// Mark names the state of this view once Moment or a read has returned. It is "" before, in a Tx, and where the state can't be shown again.
	Mark() Mark
}

// Keeper is a Store that keeps the states of its views for a while, as long as it can without cost; it promises no time. All Stores on one
// database know each other's marks, and those of the time before they were opened. Stores may be ones; whoever asks finds out by a type
// assertion.
type Keeper interface {
	Store
	// ViewAt is View on the state of mark: the same versions, entries and Moment, whatever was committed since. The error is ErrForgotten, maybe
	// wrapped, where that state is not kept; it comes from ViewAt itself, or from any read inside f, which then must be given up. A mark that
	// was made up is ErrForgotten, or shows a state that the store once had or an empty one.
	ViewAt(ctx context.Context, mark Mark, f func(Reader) error) error
}
