namespace Quire.Samples.UdpRelay;

/// <summary>The landings of the threads that read replies: as many as ever read at once, not one a session.</summary>
/// <remarks>
/// Thread-safe. Sessions wait without memory; only one that has something to read rents a landing. Which threads those are is
/// the thread pool's business, so the landing goes from one to the next through this lock, which is also what makes
/// the fragment cache in it see one owner at a time.
/// Equation: landings made == landings idle + landings rented.
/// </remarks>
internal sealed class LandingPool(PageAllocator allocator) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Stack<Landing> _idle = new();
    private int _rented;

    /// <summary>An idle landing or a new one; false when the memory limit does not allow another.</summary>
    internal bool TryRent(out Landing? landing)
    {
        lock (_gate)
        {
            if (!_idle.TryPop(out landing))
            {
                try
                {
                    landing = new Landing(allocator);
                }
                catch (PageAllocationException)
                {
                    return false;
                }
            }

            _rented++;
            return true;
        }
    }

    internal void Return(Landing landing)
    {
        lock (_gate)
        {
            _rented--;
            _idle.Push(landing);
        }
    }

    /// <summary>Gives the memory of all landings back; none may be rented.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_rented != 0)
            {
                throw new InvalidOperationException($"{_rented} landing(s) are still in use.");
            }

            while (_idle.TryPop(out Landing? landing))
            {
                landing.Dispose();
            }
        }
    }
}
