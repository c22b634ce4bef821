package mongotest

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestFoldersOfRunningTestsAreNotSwept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	held, err := makeFolder()
	if err != nil {
		t.Fatal(err)
	}
	starting := filepath.Join(os.TempDir(), folderPrefix+"starting") // which its binary is about to hold
	if err := os.Mkdir(starting, 0o700); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(os.TempDir(), folderPrefix+"dead")
	if err := os.MkdirAll(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead, heldName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat(dead); err == nil && runtime.GOOS == "linux" {
		t.Error("what a test binary left that has ended stays")
	}
	for _, dir := range []string{held, starting} {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
}

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

func TestATransactionThatATestLeavesIsNamedAndEnded(t *testing.T) {
	c := Start(t, 1)
	if err := c.SetParameter("transactionLifetimeLimitSeconds", 3600); err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(c.URI("left")).SetAppName("forgetful"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.StartTransaction(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Database("left").Collection("c").InsertOne(mongo.NewSessionContext(t.Context(), session), bson.D{}); err != nil {
		t.Fatal(err)
	}
	if err := client.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := drop(c.URI("left"), "left", time.Second); err != nil || left == nil || !strings.Contains(left.Error(), "left a transaction") || !strings.Contains(left.Error(), "forgetful") {
		t.Errorf("%v, %v", left, err)
	}
	c.AwaitNoTransaction(t)
	if left, err := drop(c.URI("left"), "left", time.Second); err != nil || left != nil {
		t.Errorf("what is gone: %v, %v", left, err)
	}
}
