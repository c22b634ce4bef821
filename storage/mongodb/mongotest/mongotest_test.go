package mongotest

import (
	"testing"
	"time"
)

func TestSetOfThreeElectsAgainAfterThePrimaryIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some 20 s; runs without -short")
	}
	c := Start(t, 3)
	first := c.Primary()
	if first < 0 {
		t.Fatal("no primary after Start")
	}
	c.Kill(first)
	if err := c.AwaitPrimary(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if again := c.Primary(); again == first {
		t.Fatalf("the killed member %d is primary", first)
	}
	if err := c.Restart(first); err != nil {
		t.Fatal(err)
	}
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	if a, b := URI(t), URI(t); a == b {
		t.Fatalf("twice the same database: %s", a)
	}
}
