using System.Runtime.InteropServices;

namespace Quire.Traces.Analysis;

/// <summary>Whether the operations on one page's count fit together, in whatever order their threads stamped them.</summary>
/// <remarks>
/// Each operation leads from the count it found to the one it left. Threads stamp after the operation, so two of them may lie in the wrong order; but a
/// complete history enters every count as often as it leaves it, except the first (left once more) and the last (entered once more). So:
/// <code>
///   balance[c] = times entered − times left, and 1 for the count it began with
///   complete history:  balance[current] == 1, all others 0
/// </code>
/// While that holds, <see cref="Current"/> alone is stored. Operations that do not fit are kept as differences until others put them right; where that does
/// not come within <see cref="Patience"/> further operations, events are missing: it is counted, and the count goes on from the newest operation.
/// <para>
/// A page first seen in mid-life has no known beginning: an operation found later to be older moves the beginning, and the page's first operation, once seen, puts it at 0 for good.
/// Without that, a history that ends with the count it began with fits together from any of its operations on, and the one stamped first decides.
/// </para>
/// </remarks>
internal struct CountBalance
{
    /// <summary>Operations on the page that an unexpected one may take to be explained.</summary>
    private const int Patience = 64;

    private Dictionary<int, int>? _off;
    private int _since;
    private int _newest;
    private bool _midLife;
    private int _beginning;

    /// <summary>A history that begins with a known count.</summary>
    internal static CountBalance From(int count) => new() { Current = count, IsBegun = true };

    /// <summary>The count, as far as the events say.</summary>
    internal int Current { get; private set; }

    /// <summary>Whether any count is known.</summary>
    internal bool IsBegun { get; private set; }

    /// <summary>Whether all operations so far fit together.</summary>
    internal readonly bool IsComplete => _off is null;

    /// <summary>Whether they lead from 0 to 0: nothing is missing, and nothing can come late.</summary>
    internal readonly bool IsWholeLife => IsComplete && IsBegun && Current == 0 && (!_midLife || _beginning == 0);

    /// <summary>One operation. Returns how many gaps were given up waiting for: 0 almost always.</summary>
    internal int Step(int before, int after)
    {
        if (!IsBegun)
        {
            IsBegun = _midLife = true;
            _beginning = before;
            Current = _newest = after;
            return 0;
        }

        _newest = after;
        if (_off is null)
        {
            if (before == Current)
            {
                Current = after;
                return 0;
            }

            _off = new Dictionary<int, int> { [Current] = 1 };
            _since = 0;
        }

        Shift(before, -1);
        Shift(after, 1);
        if (!TrySettle() && ++_since > Patience)
        {
            return GiveUp();
        }

        return 0;
    }

    /// <summary>It is known now that the history began at 0: its first operation was seen, though others may have been stamped before it.</summary>
    internal void BeginAtZero()
    {
        if (!IsBegun)
        {
            this = From(0);
        }
        else if (_midLife && _beginning != 0)
        {
            _off ??= new Dictionary<int, int> { [Current] = 1 };
            Shift(_beginning, -1);
            Shift(0, 1);
            TrySettle();
        }

        _midLife = false;
    }

    /// <summary>No more operations come. Returns the gaps that are left; from here on the history is complete.</summary>
    internal int GiveUp()
    {
        if (_off is null)
        {
            return 0;
        }

        int off = 0;
        foreach (int balance in _off.Values)
        {
            off += Math.Abs(balance);
        }

        Resume(_newest);
        _midLife = false;
        return Math.Max(1, (off - 1) / 2);
    }

    /// <summary>The count is known from elsewhere. Returns the gaps that were left.</summary>
    internal int Correct(int count)
    {
        int gaps = GiveUp();
        Resume(count);
        IsBegun = true;
        return gaps;
    }

    private void Resume(int count)
    {
        _off = null;
        Current = count;
    }

    private readonly void Shift(int count, int by)
    {
        ref int balance = ref CollectionsMarshal.GetValueRefOrAddDefault(_off!, count, out _);
        balance += by;
        if (balance == 0)
        {
            _off!.Remove(count);
        }
    }

    private bool TrySettle()
    {
        if (_off!.Count == 1)
        {
            foreach ((int count, int balance) in _off)
            {
                if (balance == 1)
                {
                    Resume(count);
                    return true;
                }
            }
        }

        return _midLife && TryMoveBeginning();
    }

    // One count was left once too often, and the count that the history was thought to begin with entered once too often: it began earlier, with the former.
    private bool TryMoveBeginning()
    {
        if (_off!.GetValueOrDefault(_beginning) < 1)
        {
            return false;
        }

        int earlier = 0;
        int left = 0;
        foreach ((int count, int balance) in _off!)
        {
            if (balance < 0)
            {
                earlier = count;
                left -= balance;
            }
        }

        if (left != 1)
        {
            return false;
        }

        Shift(_beginning, -1);
        Shift(earlier, 1);
        _beginning = earlier;
        return TrySettle();
    }
}
