using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// 4 KiB of data that the library may move while nobody has it pinned; so contiguous areas can be lent to it.
/// </summary>
/// <remarks>
/// <para>
/// The handle names the data, not the memory: it stays good when the data moves. The bytes are reached through <see cref="Pin"/>. The handle
/// has the generation of its entry, so one that outlives <see cref="Free"/> is found on every use, always. Copies of it mean the same data, and it is freed once.
/// </para>
/// <para>
/// Rules that make contiguous allocation succeed: a short pin ends within <see cref="ShortPinBound"/>; what must last longer is taken as
/// <see cref="PinDuration.LongTerm"/>. All methods may be called on any thread; none allocates on the GC heap.
/// </para>
/// </remarks>
public readonly struct MovablePage : IEquatable<MovablePage>
{
    private readonly uint _index;
    private readonly uint _generation;

    internal MovablePage(uint index, uint generation)
    {
        _index = index;
        _generation = generation;
    }

    /// <summary>The size of a movable page: 4,096 bytes.</summary>
    public const int Size = Page.FrameSize;

    /// <summary>
    /// 100 ms: how long a short pin may last. A new pin waits this long for a migration that waits for pins before it; so pins that keep the rule can't starve
    /// a migration, however they overlap. (A thread that holds another pin waits 5 ms at most: what it holds may be what is waited for.)
    /// </summary>
    public static TimeSpan ShortPinBound { get; } = TimeSpan.FromMilliseconds(100);

    /// <summary>1 s: how long <see cref="Pin"/> waits, when it is to be long-term and no deadline is given, for short pins in its way.</summary>
    public static TimeSpan DefaultDeadline { get; } = TimeSpan.FromSeconds(1);

    /// <summary>True until the page is freed. Only the owner can rely on the answer.</summary>
    public bool IsAlive => MovableTable.TryLocate(_index, _generation, out _);

    internal uint Index => _index;

    internal uint Generation => _generation;

    /// <summary>Takes a movable page: from a contiguous area that is lent out, if there is one, or from the allocator's other memory.</summary>
    /// <param name="allocator">Where the page and all its later places come from.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The page; its bytes are whatever was there, or zero with <see cref="PageAllocatorOptions.ZeroOnFree"/>.</returns>
    /// <exception cref="PageAllocationException">There is none: see <see cref="PageAllocationException.Failure"/>.</exception>
    /// <exception cref="ObjectDisposedException">The allocator was disposed.</exception>
    public static MovablePage Allocate(PageAllocator allocator, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        TryAllocate(allocator, out MovablePage page, out AllocationFailure failure, file, line, member)
            ? page
            : throw PageAllocationException.For(failure, $"Allocator '{allocator.Name}' has no page for movable data: {failure}. At most {allocator.LimitBytes} bytes, in use {allocator.GetStatistics().InUseBytes}.");

    /// <summary>The same as <see cref="Allocate"/>, with the reason where there is no page.</summary>
    /// <exception cref="ObjectDisposedException">The allocator was disposed.</exception>
    public static unsafe bool TryAllocate(PageAllocator allocator, out MovablePage page, out AllocationFailure failure, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ArgumentNullException.ThrowIfNull(allocator);
        uint origin = Tracking.Active ? Origin.Here(file, line, member) : 0;
        PageDescriptor* head = allocator.TakePage(0, MigrateType.Contiguous, out failure, origin);
        if (head == null)
        {
            page = default;
            return false;
        }

        if (!MovableTable.TryAdd(head, out page, origin != 0 ? origin : CallSiteTable.NumberOf(file, line, member)))
        {
            allocator.FreeDestinations(head->Frame);
            failure = AllocationFailure.OutOfMemory;
            return false;
        }

        return true;
    }

    /// <summary>Gives the right to the bytes, and keeps them where they are until the pin ends.</summary>
    /// <param name="duration">The promise that the caller makes.</param>
    /// <param name="deadline">
    /// For long-term pins: how long to wait for short pins in the way of moving the page out of its area, <see cref="DefaultDeadline"/> if null,
    /// <see cref="TimeSpan.Zero"/> not at all, <see cref="Timeout.InfiniteTimeSpan"/> for ever. A short pin waits as long as <see cref="ShortPinBound"/> says, whatever is given here.
    /// </param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="ArgumentOutOfRangeException">The duration is none, or the deadline is negative and not <see cref="Timeout.InfiniteTimeSpan"/>.</exception>
    /// <exception cref="PageBugException">The page was freed.</exception>
    /// <exception cref="ContiguousBusyException">Long-term only: other pins kept the page in its area until the deadline; the message names them.</exception>
    /// <exception cref="PageAllocationException">Long-term only: there is no page outside the area to move to.</exception>
    public PagePin Pin(PinDuration duration = PinDuration.Short, TimeSpan? deadline = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        duration == PinDuration.Short && deadline is null
            ? MovableTable.Pin(_index, _generation, HolderKind.Pin, file, line, member)
            : LongTermPinning.Pin(this, duration, deadline, file, line, member);

    /// <summary>Frees the page and its data.</summary>
    /// <exception cref="PageBugException">It was freed before, with both places; or it is pinned, with the pins' places. Nothing was changed.</exception>
    public void Free([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        MovableTable.Remove(_index, _generation, file, line, member);

    /// <summary>True where both handles mean the same data.</summary>
    public bool Equals(MovablePage other) => _index == other._index && _generation == other._generation;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is MovablePage other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_index, _generation);

    /// <summary>The number of the entry and its generation, as messages show a movable page.</summary>
    public override string ToString() => $"movable page {_index}.{_generation}";

    /// <summary>See <see cref="Equals(MovablePage)"/>.</summary>
    public static bool operator ==(MovablePage left, MovablePage right) => left.Equals(right);

    /// <summary>See <see cref="Equals(MovablePage)"/>.</summary>
    public static bool operator !=(MovablePage left, MovablePage right) => !left.Equals(right);
}
