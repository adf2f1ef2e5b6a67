using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Quire;

/// <content>Allocations, and what the area is doing now.</content>
public sealed unsafe partial class ContiguousArea
{
    private long _allocations;
    private long _noSpace;
    private long _busy;
    private long _noMemory;
    private long _migrated;
    private long _givenBack;
    private long _waits;

    /// <summary>The same as <see cref="Allocate"/>, with the answer where there is no range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The area or its allocator was disposed.</exception>
    public bool TryAllocate(int pages, out ContiguousRange range, [NotNullWhen(false)] out ContiguousFailure? failure, int alignment = 1, TimeSpan? deadline = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pages);
        if (alignment <= 0 || !BitOperations.IsPow2(alignment))
        {
            throw new ArgumentOutOfRangeException(nameof(alignment), alignment, "An alignment is a power of two of pages, 1 or more.");
        }

        TimeSpan time = Deadline.Checked(deadline, DefaultDeadline);
        long began = Stopwatch.GetTimestamp();
        Request request = new(this, pages, alignment, began, Deadline.In(time));
        uint origin = Origin.Whole(file, line, member);
        failure = request.RunTold(origin, out int start);
        if (failure is not null)
        {
            Tell(failure);
            range = default;
            Atomic.Add(ref failure.Kind == ContiguousFailureKind.NoSpace ? ref _noSpace : ref failure.Kind == ContiguousFailureKind.Busy ? ref _busy : ref _noMemory, 1);
            return false;
        }

        PageDescriptor* first = PageMap.Descriptor(_first + (uint)start);
        first->WholeLength = pages;
        ulong identity = first->Identity;
        uint ticket = 0;
        try
        {
            ticket = Ledger.Take(identity, 1, (uint)Math.Min((long)pages << PageMap.FrameShift, uint.MaxValue), HolderKind.Contiguous, origin);
            using (Uninterrupted.Enter(_gate))
            {
                _ranges.Add(start, new Allocated(identity, pages, ticket));
            }
        }
        catch
        {
            Ledger.Release(ticket, identity, 1, origin);
            GiveBack(start, pages);
            throw;
        }

        Mark(start, pages, FrameUse.Allocated);
        Atomic.Add(ref _allocations, 1);
        TracingNotices.ContiguousFinished(Name, pages, request.Elapsed, null, "");
        range = new ContiguousRange(this, identity, pages, ticket);
        return true;
    }

    private void Tell(ContiguousFailure failure)
    {
        string reason = failure.Kind switch
        {
            ContiguousFailureKind.Busy => "busy",
            ContiguousFailureKind.NoSpace => "no_space",
            _ => "no_memory",
        };
        string holder = TracingNotices.WantsFirstHolder ? failure.BusyPages.SelectMany(static page => page.Blocking).FirstOrDefault()?.ToString() ?? "" : "";
        TracingNotices.ContiguousFinished(Name, failure.Pages, failure.Duration, reason, holder);
    }

    /// <summary>What the area is doing now.</summary>
    public ContiguousAreaStatistics GetStatistics()
    {
        lock (_gate)
        {
            int lent = 0, free = 0, allocated = 0, unusable = 0, run = 0, longest = 0;
            for (int at = 0; at < Pages; at++)
            {
                FrameUse use = _use[at];
                bool isLent = use == FrameUse.Free && PageMap.Descriptor(_first + (uint)at)->State == PageState.InUse;
                lent += isLent ? 1 : 0;
                free += use == FrameUse.Free && !isLent ? 1 : 0;
                allocated += use is FrameUse.Allocated or FrameUse.Claimed ? 1 : 0;
                unusable += use == FrameUse.Unusable ? 1 : 0;
                run = use == FrameUse.Free ? run + 1 : 0;
                longest = Math.Max(longest, run);
            }

            return new ContiguousAreaStatistics
            {
                Pages = Pages,
                FreePages = free,
                LentPages = lent,
                AllocatedPages = allocated,
                UnusablePages = unusable,
                LargestRun = longest,
                Allocations = Volatile.Read(ref _allocations),
                NoSpaceFailures = Volatile.Read(ref _noSpace),
                BusyFailures = Volatile.Read(ref _busy),
                NoMemoryFailures = Volatile.Read(ref _noMemory),
                PagesMigrated = Volatile.Read(ref _migrated),
                RangesGivenBack = Volatile.Read(ref _givenBack),
                Waits = Volatile.Read(ref _waits),
            };
        }
    }

    /// <summary>Empties the whole area, which is claimed, and takes it offline.</summary>
    private void Remove(long began, Deadline until)
    {
        Request request = new(this, Pages, 1, began, until);
        RangeAttempt? attempt = null;
        ContiguousFailure? failure = null;
        bool isEmpty = false;
        try
        {
            attempt = new RangeAttempt(this, _first, Pages);
            failure = request.Empty(attempt, 0, isRemoval: true, out _);
            isEmpty = failure is null;
        }
        finally
        {
            if (!isEmpty)
            {
                Reopen();
                if (attempt is not null)
                {
                    request.TellGivenUp(attempt);
                }
            }
        }

        if (failure is not null)
        {
            throw failure.Kind == ContiguousFailureKind.Busy
                ? new ContiguousBusyException($"Area '{Name}' can't be disposed: lent pages would not move. ", failure)
                : ContiguousAllocationException.For(failure);
        }

        attempt.Abandon();
        Allocator.RemoveArea(_first, (uint)Pages);
        ContiguousAreas.Remove(this);
    }

    /// <summary>The area stands as before: lent, and open to allocations.</summary>
    private void Reopen()
    {
        Mark(0, Pages, FrameUse.Free);
        using (Uninterrupted.Enter(_gate))
        {
            _closed = false;
        }
    }
}
