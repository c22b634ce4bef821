package mongotest

import "testing"

func TestSetOfThreeElectsAgainAfterThePrimaryIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some 20 s; runs without -short")
	}
	c := Start(t, 3)
	first := c.Elected(t)
	c.Kill(first)
	if again := c.Elected(t); again == first {
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
