package badgerkv_test

import (
	"testing"

	"github.com/spoortrace/spoor/store/badgerkv"
	"github.com/spoortrace/spoor/store/kvtest"
)

func TestConformance(t *testing.T) {
	t.Run("small", func(t *testing.T) { kvtest.Run(t, badgerkv.New(badgerkv.Small())) })
	t.Run("large", func(t *testing.T) { kvtest.Run(t, badgerkv.New(badgerkv.Options{})) })
}
