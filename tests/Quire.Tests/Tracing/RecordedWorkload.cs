namespace Quire.Tests.Tracing;

/// <summary>
/// Everything that touches a reference, in seeded disorder on several threads: pages of all orders and their tails, gets of three kinds, batches, fragments freed at home, elsewhere and in batches, counts without
/// handles, movable pages, pins, contiguous ranges, hand-offs. What is left at the end is held until <see cref="Dispose"/>.
/// </summary>
internal sealed class RecordedWorkload : IDisposable
{
    private const int MostHeld = 60;

    private readonly PageAllocator _allocator = Trial.Allocator();
    private readonly ContiguousArea _area;
    private readonly Lock _gate = new();
    private readonly List<Action> _held = [];

    internal RecordedWorkload() => _area = ContiguousArea.Reserve(_allocator, 16 * Trial.MiB, "recorded");

    internal PageAllocator Allocator => _allocator;

    /// <summary>Does so many random things on each of so many threads; waits while the recording that runs has more than <paramref name="most"/> events.</summary>
    internal void Run(int threads, int steps, int seed, long most = long.MaxValue) => Trial.OnThreads(threads, number =>
    {
        Random random = new(seed + number);
        using PageFragmentCache cache = new(_allocator);
        for (int i = 0; i < steps; i++)
        {
            while (i % 16 == 0 && most != long.MaxValue && TraceSession.Current is { } session && session.Written > most)
            {
                Thread.Sleep(1);
            }

            Step(random, cache);
        }
    });

    /// <summary>Gives back all that is held, on the calling thread.</summary>
    internal void Release()
    {
        foreach (Action release in Take(int.MaxValue))
        {
            release();
        }
    }

    public void Dispose()
    {
        Release();
        _area.Dispose();
        _allocator.Dispose();
    }

    private void Step(Random random, PageFragmentCache cache)
    {
        switch (random.Next(16))
        {
            case 0 or 1:
                Page page = _allocator.Allocate(random.Next(4));
                Hold(() => _allocator.Free(page, (PageTemperature)random.Next(2)));
                break;
            case 2:
                Page many = _allocator.Allocate(random.Next(3));
                Page more = many.Get(3);
                more.Put(2);
                Hold(() => more.Put());
                Hold(() => many.Put());
                break;
            case 3:
                Speculate(random);
                break;
            case 4:
                Page[] batch = [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => _allocator.Allocate())];
                _allocator.Free(batch, (PageTemperature)random.Next(2));
                break;
            case 5 or 6 or 7:
                PageFragment fragment = cache.Allocate(random.Next(1, 3000));
                if (random.Next(3) == 0)
                {
                    PageFragment second = fragment.Get();
                    Hold(() => second.Free());
                }

                Hold(() => fragment.Free());
                break;
            case 8:
                PageFragment[] fragments = [.. Enumerable.Range(0, random.Next(1, 50)).Select(_ => cache.Allocate(random.Next(1, 500)))];
                if (random.Next(2) == 0)
                {
                    cache.Free(fragments);
                }
                else
                {
                    Hold(() => PageFragment.Free(fragments));
                }

                break;
            case 9:
                PageFragment own = cache.Allocate(random.Next(1, 40_000));
                own.Touch();
                cache.Free(own);
                break;
            case 10:
                CountWithoutHandles(random);
                break;
            case 11 or 12:
                MovablePage movable = _area.AllocateMovable();
                PagePin pin = movable.Pin();
                if (random.Next(2) == 0)
                {
                    pin.Unpin();
                    Hold(() => movable.Free());
                }
                else
                {
                    Hold(() =>
                    {
                        pin.Unpin();
                        movable.Free();
                    });
                }

                break;
            case 13:
                if (_area.TryAllocate(random.Next(1, 300), out ContiguousRange range, out _, deadline: TimeSpan.Zero))
                {
                    _area.Release(range);
                }

                break;
            case 14:
                cache.Refill();
                break;
            default:
                foreach (Action release in Take(random.Next(1, 8)))
                {
                    release();
                }

                break;
        }
    }

    private void Speculate(Random random)
    {
        Page page = _allocator.Allocate(2);
        Page tail = page.Frame(random.Next(4));
        if (tail.TryGet(out Page got, out _))
        {
            got.Put();
        }

        if (random.Next(2) == 0)
        {
            page.Transfer();
        }

        page.Put();
        _ = tail.TryGet(out _, out _);
    }

    private void CountWithoutHandles(Random random)
    {
        Page page = _allocator.Allocate();
        PageRef.Add(page, 5);
        PageRef.Sub(page, 2);
        PageRef.Inc(page);
        _ = PageRef.IncReturn(page);
        _ = PageRef.DecReturn(page);
        _ = PageRef.AddUnless(page, 1, random.Next(7));
        while (!PageRef.DecAndTest(page))
        {
        }

        _allocator.FreeUnreferenced(page);
    }

    private void Hold(Action release)
    {
        List<Action> over = [];
        lock (_gate)
        {
            _held.Add(release);
            while (_held.Count > MostHeld)
            {
                over.Add(_held[0]);
                _held.RemoveAt(0);
            }
        }

        over.ForEach(static old => old());
    }

    private List<Action> Take(int count)
    {
        lock (_gate)
        {
            List<Action> taken = _held[..Math.Min(count, _held.Count)];
            _held.RemoveRange(0, taken.Count);
            return taken;
        }
    }
}
