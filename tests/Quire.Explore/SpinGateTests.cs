using Xunit;

namespace Quire.Explore;

public sealed class SpinGateTests
{
    private sealed class Room
    {
        internal SpinGate Gate;
        internal int Inside;
        internal int Visits;

        internal void Visit()
        {
            Assert.Equal(0, Inside++);
            Atomic.Point();
            Inside--;
            Visits++;
        }
    }

    [Fact]
    public void Never_two_are_inside_a_gate_and_everybody_gets_in()
    {
        Explorer.Explore(static scene =>
        {
            Room room = new();
            for (int i = 0; i < 3; i++)
            {
                scene.Thread($"visitor {i}", () =>
                {
                    for (int visit = 0; visit < 2; visit++)
                    {
                        room.Gate.Enter();
                        room.Visit();
                        room.Gate.Exit();
                    }
                });
            }

            scene.Thread("passer-by", () =>
            {
                if (room.Gate.TryEnter())
                {
                    room.Visit();
                    room.Gate.Exit();
                }
            });
            scene.AtEnd(() => Assert.InRange(room.Visits, 6, 7));
        });
    }
}
