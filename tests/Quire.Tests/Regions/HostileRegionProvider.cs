namespace Quire.Tests.Regions;

/// <summary>The calls that a <see cref="HostileRegionProvider"/> can make fail.</summary>
public enum HostileCall
{
    Reserve,
    Commit,
    Decommit,
    Advise,
}

/// <summary>
/// A provider that does its worst: fails the n-th call of a kind, breaks its promises, or hands out memory between two walls.
/// It also keeps the books, so that a test can ask what is committed and what was never released.
/// </summary>
/// <remarks>
/// <code>
/// HostileRegionProvider hostile = new() { Walls = true, RevokeOnDecommit = true };
/// hostile.Fail(HostileCall.Commit, nth: 3);
/// using PageAllocator allocator = new(new PageAllocatorOptions { Provider = hostile });
/// </code>
/// Safe on any thread.
/// </remarks>
public sealed unsafe class HostileRegionProvider(RegionProvider? inner = null) : RegionProvider
{
    private readonly RegionProvider _inner = inner ?? Mapped;
    private readonly Lock _gate = new();
    private readonly int[] _calls = new int[4];
    private readonly List<(HostileCall Call, int First, int Last, RegionFailure Failure)> _plans = [];
    private readonly List<HostileRegion> _live = [];

    public override RegionKind Kind => _inner.Kind;

    public override string Name => $"hostile {_inner.Name}";

    /// <summary>Bytes by which each region misses the alignment asked for.</summary>
    public nuint MisalignBy { get; init; }

    /// <summary>Bytes that each region is short of what was asked for.</summary>
    public nuint ShortenBy { get; init; }

    /// <summary>Regions lie between two walls without access: the byte before the first and the one behind the last fault. Mapped
    /// memory only.</summary>
    public bool Walls { get; init; }

    /// <summary>
    /// Decommitted memory faults when touched, as on Windows, where Linux would show zeros and hide a forgotten commit. Mapped memory only.
    /// </summary>
    public bool RevokeOnDecommit { get; init; }

    /// <summary>Called at the beginning of each call, in the midst of what the allocator is doing.</summary>
    public Action<HostileCall>? Watch { get; set; }

    /// <summary>Regions without a Dispose so far.</summary>
    public int LiveRegions
    {
        get
        {
            lock (_gate)
            {
                return _live.Count;
            }
        }
    }

    /// <summary>Bytes committed now in all regions.</summary>
    public nuint CommittedBytes
    {
        get
        {
            lock (_gate)
            {
                return _live.Aggregate((nuint)0, (sum, region) => sum + region.CommittedBytes);
            }
        }
    }

    /// <summary>Makes the n-th call from now on (1 is the next) fail, and so many behind it.</summary>
    public void Fail(HostileCall call, int nth, RegionFailure failure = RegionFailure.OutOfMemory, int times = 1)
    {
        lock (_gate)
        {
            int first = _calls[(int)call] + nth;
            _plans.Add((call, first, first + times - 1, failure));
        }
    }

    /// <summary>Calls of a kind so far, failed ones included.</summary>
    public int CallsOf(HostileCall call)
    {
        lock (_gate)
        {
            return _calls[(int)call];
        }
    }

    /// <summary>True if all of the range lies in regions of this provider and is committed.</summary>
    public bool IsCommitted(void* address, nuint length)
    {
        lock (_gate)
        {
            return _live.Any(region => region.IsCommitted((byte*)address, length));
        }
    }

    protected override MemoryRegion? ReserveCore(nuint bytes, nuint alignment, out RegionFailure failure)
    {
        failure = Count(HostileCall.Reserve);
        if (failure != RegionFailure.None)
        {
            return null;
        }

        if ((Walls || RevokeOnDecommit) && Kind != RegionKind.Mapped)
        {
            throw new InvalidOperationException("Walls in the heap of the garbage collector would hurt the garbage collector.");
        }

        // The walls are reserved memory that is never committed; a whole alignment in front keeps the base aligned.
        nuint wall = Walls ? nuint.Max(alignment, (nuint)Environment.SystemPageSize) : 0;
        nuint slip = NativeMemoryCalls.RoundUp(MisalignBy, MemoryRegion.FrameSize);
        MemoryRegion? real = _inner.TryReserve(wall + bytes + slip + wall, alignment, out failure);
        if (real is null)
        {
            return null;
        }

        HostileRegion region = new(this, real, wall, MisalignBy, bytes - ShortenBy, RevokeOnDecommit);
        lock (_gate)
        {
            _live.Add(region);
        }

        return region;
    }

    internal RegionFailure Count(HostileCall call)
    {
        Watch?.Invoke(call);
        lock (_gate)
        {
            int now = ++_calls[(int)call];
            return _plans.Where(plan => plan.Call == call && plan.First <= now && now <= plan.Last).Select(plan => plan.Failure)
                .FirstOrDefault(RegionFailure.None);
        }
    }

    internal void Forget(HostileRegion region)
    {
        lock (_gate)
        {
            _live.Remove(region);
        }
    }
}
