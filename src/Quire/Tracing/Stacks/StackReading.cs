using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Quire;

/// <summary>A walk held against the runtime's own <see cref="StackTrace"/> of the same moment: which frame is which, what is missing, and where that can be found.</summary>
/// <remarks>
/// <para>
/// The two differ. The walk passes native frames and stubs that the runtime does not list. The runtime lists calls out of managed code, which have no
/// return address, and callers of methods without a frame, whose address the walk misses (a small optimized method with one call keeps none; the
/// second version of a method replaced in a loop returns into the first).
/// </para>
/// <para>
/// What matches is told by arithmetic: a return address less the runtime's offset in the method is where the method's code starts, and code starts at a multiple of 16. One
/// false match in 16 is possible, so all are looked at together: of all ways to lay the two lists side by side, the one that leaves the least over. Above native
/// frames of the runtime the offset may name an earlier instruction, and any address counts as a match.
/// </para>
/// <para>
/// A frame that was missed is looked for between its callee's frame and the next one: a word that is a return address by its bytes and by its offset. Its
/// distance is fixed by the callee's code, so later walks need only read that word (<see cref="Asks"/>). Where a frame can't be found the stack ends,
/// and is <see cref="IsPartial"/>: another stack with the same key may have other frames there.
/// </para>
/// </remarks>
internal sealed unsafe class StackReading
{
    private const int CodeAlignment = 16;
    private const int GapWords = 2048;

    // Frames of the runtime's list that can have a counterpart: a walk's worth, and some that it missed.
    private const int MaximumListed = StackWalk.MaximumFrames + 64;

    private readonly StackFrame[] _listed;
    private readonly MethodBase?[] _methods;
    private readonly int[] _foundAt;    // index in the walk; -1 not found, -2 found in a gap
    private readonly CodeKind[] _kinds;
    private readonly int _count;        // addresses that count: up to the first foreign one, which is the last

    /// <summary>Compares.</summary>
    /// <param name="trace">Taken while the walk's frames were live, by methods that <see cref="StackCapture.Take"/> called.</param>
    /// <param name="walk">From <see cref="StackCapture.Take"/>'s frame; may be empty.</param>
    internal StackReading(StackTrace trace, StackWalk* walk)
    {
        _listed = Below(trace);
        _methods = Array.ConvertAll(_listed, MethodOf);
        _foundAt = new int[_listed.Length];
        Array.Fill(_foundAt, -1);
        _kinds = new CodeKind[walk->Count];
        for (_count = 0; _count < walk->Count; _count++)
        {
            _kinds[_count] = NativeCode.KindOf(walk->Addresses[_count]);
            if (_kinds[_count] == CodeKind.Foreign)
            {
                ForeignAt = _count;
                _count++;
                break;
            }
        }

        Match(walk->Addresses);
        Asks = FindMissing(walk);
    }

    /// <summary>Words that belong to the key beside the addresses.</summary>
    internal StackWord[] Asks { get; }

    /// <summary>True if the walk does not cover all of the stack.</summary>
    internal bool IsPartial => Enumerable.Range(0, _listed.Length).Any(i => HasAddress(_listed[i]) && !IsCovered(i));

    /// <summary>True if the walk covers at least one frame that is not this library's.</summary>
    internal bool CoversUser => Enumerable.Range(0, _listed.Length).Any(i => IsCovered(i) && !IsQuire(_methods[i]));

    /// <summary>True if code on the stack can go away, so that its addresses may be another method's later.</summary>
    internal bool IsUnloadable => Enumerable.Range(0, _listed.Length).Any(i => IsCovered(i) && IsUnloadableMethod(_methods[i]));

    /// <summary>The index of the first address in a native library other than the runtime; -1 if there is none.</summary>
    internal int ForeignAt { get; } = -1;

    /// <summary>The index of the return address from the thread's first managed method into the runtime; -1 if the walk doesn't show it.</summary>
    /// <remarks>Two native frames of the runtime at least: a stub of it that calls managed code in the midst of a stack is one.</remarks>
    internal int RootAt
    {
        get
        {
            int at = ForeignAt;
            while (at > 0 && _kinds[at - 1] == CodeKind.Runtime)
            {
                at--;
            }

            return ForeignAt - at >= 2 && at > 0 && !IsPartial ? at : -1;
        }
    }

    /// <summary>The texts' numbers, this library's own frames at the top left out; empty if the table of texts is full.</summary>
    /// <param name="all">All that the runtime lists, not only what the walk covers.</param>
    internal uint[] Frames(bool all)
    {
        int first = Array.FindIndex(_methods, method => !IsQuire(method));
        int last = all ? _listed.Length - 1 : Enumerable.Range(0, _listed.Length).LastOrDefault(IsCovered, -1);
        List<uint> frames = [];
        for (int i = Math.Max(first, 0); i <= last && frames.Count < StackWalk.MaximumFrames; i++)
        {
            bool repeated = i > 0 && !HasAddress(_listed[i]) && _methods[i] == _methods[i - 1];
            if ((all || IsCovered(i) || !HasAddress(_listed[i])) && !repeated)
            {
                uint number = TextTable.NumberOf(FrameText.Of(_listed[i], _methods[i]));
                if (number == 0)
                {
                    return [];
                }

                frames.Add(number);
            }
        }

        return [.. frames];
    }

    private static StackFrame[] Below(StackTrace trace)
    {
        StackFrame[] frames = trace.GetFrames();
        int take = Array.FindIndex(frames, frame => MethodOf(frame) is { Name: nameof(StackCapture.Take) } method && method.DeclaringType == typeof(StackCapture));
        return frames[(take + 1)..Math.Min(frames.Length, take + 1 + MaximumListed)];
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "A method without metadata is shown as dynamic, and its stack is taken anew each time.")]
    private static MethodBase? MethodOf(StackFrame frame) => frame.GetMethod();

    private static bool HasAddress(StackFrame frame) => frame.GetNativeOffset() > 0;

    private static bool IsQuire(MethodBase? method) => method?.Module == typeof(StackReading).Module;

    private static bool IsUnloadableMethod(MethodBase? method) => method?.DeclaringType is null || method.IsCollectible;

    private bool IsCovered(int listed) => _foundAt[listed] != -1;

    private void Match(ulong* addresses)
    {
        int rows = _count;
        int columns = _listed.Length;
        int[] offsets = Array.ConvertAll(_listed, frame => frame.GetNativeOffset());

        // What the best of all ways leaves over from address i and frame j on: 1 for an address too many, 2 for a frame that is missed.
        ushort[] cost = new ushort[(rows + 1) * (columns + 1)];
        for (int j = columns - 1; j >= 0; j--)
        {
            cost[(rows * (columns + 1)) + j] = (ushort)(cost[(rows * (columns + 1)) + j + 1] + (offsets[j] > 0 ? 2 : 0));
        }

        for (int i = rows - 1; i >= 0; i--)
        {
            for (int j = columns - 1; j >= 0; j--)
            {
                int here = (i * (columns + 1)) + j;
                int down = here + columns + 1;
                int best = Math.Min(cost[here + 1] + (offsets[j] > 0 ? 2 : 0), cost[down] + (_kinds[i] == CodeKind.Unknown ? 1 : 0));
                cost[here] = (ushort)(CanBe(addresses, i, j, offsets[j]) ? Math.Min(best, cost[down + 1]) : best);
            }
        }

        int address = 0;
        int frame = 0;
        while (address < rows && frame < columns)
        {
            int here = (address * (columns + 1)) + frame;
            int down = here + columns + 1;
            if (CanBe(addresses, address, frame, offsets[frame]) && cost[here] == cost[down + 1])
            {
                _foundAt[frame++] = address++;
            }
            else if (cost[here] == cost[down] + (_kinds[address] == CodeKind.Unknown ? 1 : 0))
            {
                address++;
            }
            else
            {
                frame++;
            }
        }
    }

    // Native code that is neither the runtime's nor in a library can't be told from managed code. But where the runtime lists a call out of managed code, the way back in
    // must lead through the runtime itself, or nothing above counts.
    private bool CanBe(ulong* addresses, int at, int listed, int offset) =>
        offset > 0 && _kinds[at] == CodeKind.Unknown
        && (at > 0 && _kinds[at - 1] == CodeKind.Runtime || (((addresses[at] - (ulong)offset) % CodeAlignment) == 0 && (listed == 0 || HasAddress(_listed[listed - 1]))));

    private StackWord[] FindMissing(StackWalk* walk)
    {
        List<StackWord> asks = [];
        int callee = 0;
        int from = 2;
        for (int i = 0; i < _listed.Length; i++)
        {
            if (_foundAt[i] >= 0)
            {
                callee = _foundAt[i];
                from = 2;
                continue;
            }

            if (!HasAddress(_listed[i]))
            {
                continue;
            }

            // Only with a found frame further up: without one nothing says where the stack goes on. And what is above a frame that can't be found was found by chance.
            int next = Array.FindIndex(_foundAt, i, at => at >= 0);
            if (next < 0 || FindWord(walk, callee, _foundAt[next], from, _listed[i].GetNativeOffset()) is not { } word)
            {
                _foundAt.AsSpan(i).Fill(-1);
                break;
            }

            asks.Add(word);
            _foundAt[i] = -2;
            (callee, from) = (word.Frame, word.Offset + 1);
        }

        return [.. asks];
    }

    // Between the frames of two walk indices. Return addresses lie at odd words: frames are at multiples of 16, and so is the stack at each call.
    private static StackWord? FindWord(StackWalk* walk, int from, int to, int offset, int nativeOffset)
    {
        bool refreshed = false;
        while (true)
        {
            int left = GapWords;
            for (int i = from; i < to && i + 1 < walk->Count; i++)
            {
                ulong* frame = (ulong*)walk->Frames[i];
                long words = Math.Min((long)(walk->Frames[i + 1] - walk->Frames[i]) / sizeof(ulong), ushort.MaxValue);
                for (int at = (i == from ? offset : 2) | 1; at < words && left > 0; at += 2, left--)
                {
                    if ((frame[at] - (ulong)nativeOffset) % CodeAlignment == 0 && NativeCode.IsReturnAddress(frame[at]) && NativeCode.KindOf(frame[at]) == CodeKind.Unknown)
                    {
                        return new StackWord(i, at);
                    }
                }
            }

            if (refreshed)
            {
                return null;
            }

            NativeCode.Refresh();
            refreshed = true;
        }
    }
}
