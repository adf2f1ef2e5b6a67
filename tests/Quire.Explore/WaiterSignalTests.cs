using Xunit;

namespace Quire.Explore;

/// <summary>Rents that wait: whatever the order of steps, nobody waits while there is memory and nobody at work.</summary>
public sealed class WaiterSignalTests
{
    [Fact]
    public void No_waiter_is_left_with_memory_free_whoever_frees_and_waits_when() => Explorer.Explore(static scene =>
    {
        Line line = new(free: 0);
        scene.Thread("first waiter", line.Wait);
        scene.Thread("second waiter", line.Wait);
        scene.Thread("freer", () =>
        {
            line.Free();
            line.Free();
        });
        scene.AtEnd(() => line.IsSettled(served: 2, free: 0));
    });

    [Fact]
    public void A_waiter_that_leaves_lets_the_next_one_have_the_memory() => Explorer.Explore(static scene =>
    {
        // The first wants two, and only one will ever be free.
        Line line = new(free: 0);
        line.Want(2);
        scene.Thread("waiter", line.Wait);
        scene.Thread("freer", line.Free);
        scene.Thread("canceller", line.CancelFirst);
        scene.AtEnd(() => line.IsSettled(served: 1, free: 0));
    });

    /// <summary>Memory as a number, and a queue; what a pool does around them.</summary>
    private sealed class Line(int free)
    {
        private readonly List<int> _queue = [];
        private WaiterSignal _signal;
        private int _free = free;
        private int _served;

        /// <summary>Somebody waits who was there before the scene.</summary>
        public void Want(int amount)
        {
            _queue.Add(amount);
            _signal.Join();
        }

        public void Wait()
        {
            if (_signal.AnyWaits || !TryTake(1))
            {
                _queue.Add(1);
                _signal.Join();
                Pump();
            }
        }

        public void Free()
        {
            Atomic.Point();
            _free++;
            if (_signal.AnyWaits)
            {
                Pump();
            }
        }

        public void CancelFirst()
        {
            Atomic.Point();
            _queue.RemoveAt(0);
            _signal.Leave();
            Pump();
        }

        public void IsSettled(int served, int free)
        {
            Assert.Equal((served, free, 0, 0), (_served, _free, _queue.Count, _signal.Waiters));
            Assert.True(_signal.TryBegin(), "Somebody is said to serve still.");
        }

        private bool TryTake(int amount)
        {
            Atomic.Point();
            if (_free < amount)
            {
                return false;
            }

            _free -= amount;
            _served++;
            return true;
        }

        private void Pump()
        {
            if (!_signal.TryBegin())
            {
                return;
            }

            int seen;
            do
            {
                seen = _signal.Requests;

                // One step each: the queue's lock, in small.
                while (_queue.Count != 0 && TryServe())
                {
                    _signal.Leave();
                }
            }
            while (!_signal.TryEnd(seen));
        }

        private bool TryServe()
        {
            Atomic.Point();
            if (_queue.Count == 0 || _free < _queue[0])
            {
                return false;
            }

            _free -= _queue[0];
            _queue.RemoveAt(0);
            _served++;
            return true;
        }
    }
}
