using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// A lock of four bytes for sections of a few dozen instructions. Not re-entrant, not fair, allocates nothing.
/// </summary>
/// <remarks>
/// Equation: <c>_held</c> is 1 exactly while one thread is between <see cref="Enter"/> and <see cref="Exit"/>.
/// A waiter spins, then yields its core, since the holder may be the thread that waits for that core.
/// Nothing that blocks, throws to a user or calls back may run while a gate is held.
/// </remarks>
internal struct SpinGate
{
    private int _held;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Enter()
    {
        // Happens before: the winning exchange reads the 0 that the last holder's Exit released,
        // so everything written under the gate is visible here.
        if (Atomic.CompareExchange(ref _held, 1, 0) != 0)
        {
            EnterContended();
        }
    }

    internal bool TryEnter() => Atomic.CompareExchange(ref _held, 1, 0) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Exit() => Atomic.StoreRelease(ref _held, 0);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnterContended()
    {
        SpinWait spin = default;
        do
        {
            Atomic.SpinOnce(ref spin);
        }
        while (Atomic.LoadAcquire(ref _held) != 0 || Atomic.CompareExchange(ref _held, 1, 0) != 0);
    }
}
