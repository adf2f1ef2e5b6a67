using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// A table of <typeparamref name="T"/> in native memory, indexed by number: addresses for its whole capacity are reserved once,
/// memory comes in
/// steps, and no entry ever moves, so a pointer into it stays good (the kernel's <c>vmemmap</c>).
/// </summary>
/// <remarks>
/// <para>
/// Equation: entry i may be touched if the bit of each step that it lies in is set in <c>_ready</c>; a bit once set stays set.
/// A fresh entry is all zero.
/// </para>
/// <para>
/// Where memory comes with the first touch anyway (Linux, macOS), all steps are committed at the start: one mapping for the whole table
/// instead of one for each island in it, and every index below the capacity reads as zero, never faults. Where the
/// system refuses that (Windows, <c>vm.overcommit_memory=2</c>, a limit on data) it goes step by step.
/// </para>
/// <para>Safe on any thread, except <see cref="Dispose"/>, which comes last.</para>
/// </remarks>
internal sealed unsafe class NativeMap<T> : IDisposable
    where T : unmanaged
{
    /// <summary>Bytes committed at once: enough that steps are rare, little enough that a small table stays small.</summary>
    internal const int StepBytes = 64 * 1024;

    private readonly MemoryRegion _region;
    private readonly T* _base;
    private readonly nuint _capacity;
    private readonly ulong[] _ready;

    /// <summary>Reserves the table.</summary>
    /// <param name="capacity">Entries, above 0.</param>
    /// <param name="provider">Where the memory comes from; mapped memory if null.</param>
    /// <exception cref="InsufficientMemoryException">The addresses can't be had; the message has the reason.</exception>
    internal NativeMap(nuint capacity, RegionProvider? provider = null)
    {
        // A multiplication that wraps must not give a small table of great capacity.
        if (capacity == 0 || capacity > ((nuint)nint.MaxValue - StepBytes) / (nuint)sizeof(T))
        {
            throw new ArgumentOutOfRangeException(
                nameof(capacity),
                $"A table of {capacity} entries of {sizeof(T)} bytes ({typeof(T).Name}) has no place in an address space.");
        }

        nuint bytes = NativeMemoryCalls.RoundUp(capacity * (nuint)sizeof(T), StepBytes);
        _region = (provider ?? RegionProvider.Mapped).TryReserve(bytes, MemoryRegion.FrameSize, out RegionFailure failure)
            ?? throw new InsufficientMemoryException(
                $"No addresses for a table of {capacity} entries of {sizeof(T)} bytes ({typeof(T).Name}): {failure}.");
        _base = (T*)_region.Base;
        _capacity = capacity;
        _ready = new ulong[(Steps + 63) / 64];
        if (_region.CommitsOnTouch && _region.TryCommit(0, bytes, out _))
        {
            // Nobody else has the table yet. The last word only has bits for steps that exist.
            Array.Fill(_ready, ulong.MaxValue);
            _ready[^1] >>= (int)(((nuint)_ready.Length * 64) - Steps);
        }
    }

    /// <summary>Entry 0. Entries may be touched once <see cref="TryEnsure"/> said so.</summary>
    internal T* Base => _base;

    /// <summary>Entries.</summary>
    internal nuint Capacity => _capacity;

    /// <summary>Bytes of the table that are committed: an upper bound of what it can have resident.</summary>
    internal nuint CommittedBytes
    {
        get
        {
            nuint steps = 0;
            for (int word = 0; word < _ready.Length; word++)
            {
                steps += (nuint)BitOperations.PopCount(Atomic.LoadAcquire(ref _ready[word]));
            }

            return steps * StepBytes;
        }
    }

    private nuint Steps => _region.Length / StepBytes;

    /// <summary>The address of an entry that was ensured.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal T* At(nuint index)
    {
        Debug.Assert(IsReady(index));
        return _base + index;
    }

    /// <summary>True if the entry may be touched. False for any index outside the table.</summary>
    internal bool IsReady(nuint index) => index < _capacity && FirstUnready(StepOf(index), EndStepOf(index + 1)) == EndStepOf(index + 1);

    /// <summary>Commits the entries from <paramref name="first"/> on; those that are committed keep their content.</summary>
    /// <param name="first">The first entry.</param>
    /// <param name="count">How many; 0 does nothing.</param>
    /// <param name="failure">Why not. Entries that could be touched before still can.</param>
    /// <returns>True if all of them may be touched from any thread that learns of it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The entries are not all in the table.</exception>
    internal bool TryEnsure(nuint first, nuint count, out RegionFailure failure)
    {
        if (first > _capacity || count > _capacity - first)
        {
            throw new ArgumentOutOfRangeException(
                first > _capacity ? nameof(first) : nameof(count),
                $"Entries {first}, +{count} leave a table of {_capacity} ({typeof(T).Name}).");
        }

        failure = RegionFailure.None;
        if (count == 0)
        {
            return true;
        }

        nuint end = EndStepOf(first + count);
        for (nuint step = FirstUnready(StepOf(first), end); step < end; step = FirstUnready(step + 1, end))
        {
            // Two threads may both commit a step: the second commit changes nothing, even if the first thread has written there by then.
            if (!_region.TryCommit(step * StepBytes, StepBytes, out failure))
            {
                return false;
            }

            SetReady(step);
        }

        return true;
    }

    /// <summary>Releases the table: every pointer into it is worthless.</summary>
    public void Dispose() => _region.Dispose();

    /// <summary>Throws unless the equation of this type holds.</summary>
    internal void Verify()
    {
        _region.Verify();
        if (CommittedBytes > _region.Length || _capacity * (nuint)sizeof(T) > _region.Length)
        {
            throw new InvalidOperationException(
                $"A table of {_capacity} entries ({typeof(T).Name}) is damaged: {CommittedBytes} bytes committed of {_region.Length}.");
        }
    }

    private static nuint StepOf(nuint index) => index * (nuint)sizeof(T) / StepBytes;

    /// <summary>The step behind the last byte of the entries below <paramref name="end"/>; an entry may lie across two steps.</summary>
    private static nuint EndStepOf(nuint end) => ((end * (nuint)sizeof(T)) + StepBytes - 1) / StepBytes;

    private nuint FirstUnready(nuint step, nuint end)
    {
        // Happens before: the bit was set by an exchange after the commit returned, so who reads it may touch the memory.
        while (step < end && (Atomic.LoadAcquire(ref _ready[step / 64]) & (1UL << (int)(step % 64))) != 0)
        {
            step++;
        }

        return step;
    }

    private void SetReady(nuint step)
    {
        ref ulong word = ref _ready[step / 64];
        ulong seen = Atomic.LoadAcquire(ref word);
        ulong before;
        do
        {
            before = seen;

            // Happens before: a full fence after the commit; pairs with the acquire in FirstUnready. Other steps' bits in the
            // word are kept, since the exchange fails if one was set meanwhile.
            seen = Atomic.CompareExchange(ref word, before | (1UL << (int)(step % 64)), before);
        }
        while (seen != before);
    }
}
