using System.Numerics;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>The known stacks: from return addresses to a stack's number, and from the number to its frames.</summary>
/// <remarks>
/// All of it lies in native memory whose size is fixed at the start, is read without a lock and only ever added to. Equations: <c>Keys</c> slots
/// of the table are taken, at most half of them; each leads to a record that was complete before its slot was written; numbers 1 to <see cref="Count"/> have a stack.
/// <para>
/// A <b>key</b> is a call site with the return addresses of a walk, and its record holds all of them: two walks with one hash are told apart. One stack has several keys, since
/// methods are compiled again while they are in use; keys whose stacks read the same share one number (from
/// <see cref="MaximumKeysPerStack"/> on only those that come twice, and no more than <see cref="UtmostKeysPerStack"/>: a native caller that leaves changing words in the frame chain must not fill the table).
/// </para>
/// <para>
/// A method without a frame of its own is met in the chain, but the address to which it returns is not: that lies at a fixed distance above, known since the
/// stack was first compared with the runtime's. So the <b>answer</b> of a key is either a stack's number or the place of one more word; that word with this record's place is
/// the next key, and so on until the answer is a number. A tree, because which word comes next may depend on the one before it.
/// </para>
/// </remarks>
internal sealed unsafe class StackStore : IDisposable
{
    internal const int DefaultStacks = 16 * 1024;
    internal const int DefaultBytes = 16 * 1024 * 1024;
    internal const int MaximumKeysPerStack = 64;
    internal const int UtmostKeysPerStack = 1024;
    private const int SeenSlots = 4096;
    private const int KeysPerStack = 4;
    private const uint ChildCount = uint.MaxValue;

    // Of a key: hash; call site and count of addresses, or the parent's place and ChildCount; answer; addresses.
    private const int KeyWords = 3;

    // Of a stack: call site and count of frames, whose top bit says partial; hash of the text; keys (uint) and published (int); frames (uint each).
    private const int StackWords = 3;
    private const uint PartialBit = 1u << 31;

    private readonly NativeMap<ulong> _words;
    private readonly NativeMap<ulong> _slots;
    private readonly NativeMap<uint> _stacks;
    private readonly NativeMap<uint> _texts;
    private readonly ulong* _word;
    private readonly ulong* _slot;
    private readonly uint _slotMask;
    private readonly uint _textMask;
    private readonly uint[] _seen = new uint[SeenSlots];
    private SpinGate _gate;     // guards all that follows; what is read without it is read by an acquire
    private uint _used = 1;     // words; place 0 is no place
    private uint _keys;
    private int _count;
    private int _partial;
    private long _dropped;
    private long _unstable;

    /// <param name="maximumStacks">Stacks at most.</param>
    /// <param name="maximumBytes">Bytes of native memory at most, tables included.</param>
    /// <exception cref="InsufficientMemoryException">The system has no memory for the tables.</exception>
    internal StackStore(int maximumStacks = DefaultStacks, int maximumBytes = DefaultBytes)
    {
        uint slots = BitOperations.RoundUpToPowerOf2((uint)maximumStacks * KeysPerStack * 2);
        uint texts = BitOperations.RoundUpToPowerOf2((uint)maximumStacks * 2);
        long tables = ((long)slots * sizeof(ulong)) + ((long)texts * sizeof(uint)) + ((maximumStacks + 1L) * sizeof(uint));
        MaximumStacks = maximumStacks;
        _slotMask = slots - 1;
        _textMask = texts - 1;
        _words = new NativeMap<ulong>((nuint)Math.Max(1024, (maximumBytes - tables) / sizeof(ulong)));
        _slots = new NativeMap<ulong>(slots);
        _stacks = new NativeMap<uint>((nuint)maximumStacks + 1);
        _texts = new NativeMap<uint>(texts);
        _word = _words.Base;
        _slot = _slots.Base;
        Ensure(_slots, slots);
        Ensure(_stacks, (nuint)maximumStacks + 1);
        Ensure(_texts, texts);
    }

    internal int MaximumStacks { get; }

    /// <summary>Stacks; their numbers are 1 to this.</summary>
    internal int Count => Atomic.LoadAcquire(ref _count);

    /// <summary>Keys, and the steps between keys and numbers.</summary>
    internal int Keys => (int)Atomic.LoadAcquire(ref _keys);

    /// <summary>Stacks whose frames are not all known.</summary>
    internal int Partial => Atomic.LoadAcquire(ref _partial);

    /// <summary>Stacks asked for that found no room.</summary>
    internal long Dropped => Atomic.LoadAcquire(ref _dropped);

    /// <summary>Keys refused because their stack has many and they were new: each such capture took the slow way.</summary>
    internal long Unstable => Atomic.LoadAcquire(ref _unstable);

    /// <summary>Bytes in use, tables not counted.</summary>
    internal long Bytes => Atomic.LoadAcquire(ref _used) * (long)sizeof(ulong);

    /// <summary>True when no stack can be added: it need not be taken apart.</summary>
    internal bool IsFull => Count >= MaximumStacks || _keys >= (_slotMask + 1) / 2 || _used + (StackWords + KeyWords + (2 * StackWalk.MaximumFrames)) > _words.Capacity;

    /// <summary>Counts a stack that found no room.</summary>
    internal void Drop() => Atomic.Add(ref _dropped, 1);

    /// <summary>The number of a walk's stack; 0 if it is not known. No lock, no allocation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint Find(StackWalk* walk, uint site)
    {
        uint place = FindKey(walk, site);
        if (place == 0)
        {
            return 0;
        }

        ulong answer = _word[place + 2];
        return (uint)answer != 0 ? (uint)answer : Descend(place, walk);
    }

    /// <summary>The number of the stack with this text at this site, made if there is none; 0 if there is no room.</summary>
    internal uint Intern(uint site, ReadOnlySpan<uint> frames, bool isPartial)
    {
        ulong hash = site;
        foreach (uint frame in frames)
        {
            hash = StackWalk.Mix(hash, frame);
        }

        hash = StackWalk.Mix(hash, isPartial ? 1u : 0);
        uint words = StackWords + (uint)((frames.Length + 1) / 2);
        _gate.Enter();
        uint number = FindText(hash, site, frames, isPartial, out uint slot);
        if (number == 0 && _count < MaximumStacks && Room(words))
        {
            uint place = _used;
            ulong* stack = _word + place;
            stack[0] = site | ((ulong)((uint)frames.Length | (isPartial ? PartialBit : 0)) << 32);
            stack[1] = hash;
            stack[2] = 0;
            frames.CopyTo(new Span<uint>(stack + StackWords, frames.Length));
            number = (uint)_count + 1;
            _stacks.Base[number] = place;
            _texts.Base[slot] = number;
            Atomic.StoreRelease(ref _used, place + words);
            _partial += isPartial ? 1 : 0;

            // Happens before: the stack is complete before its number counts. An exchange and not a release: who goes on to look whether a recording wants
            // the stack, and a recording that starts and then looks for stacks, must not both miss the other.
            _ = Atomic.Exchange(ref _count, (int)number);
        }

        _gate.Exit();
        if (number == 0)
        {
            Drop();
        }

        return number;
    }

    /// <summary>True for those that intern a stack until one of them has published it: each must, before it gives the number out.</summary>
    internal bool MustPublish(uint number) => Atomic.LoadAcquire(ref Published(number)) == 0;

    /// <summary>Says that a stack's text is out.</summary>
    internal void SetPublished(uint number) => Atomic.StoreRelease(ref Published(number), 1);

    /// <summary>Lets a walk lead to a stack from now on.</summary>
    /// <param name="walk">The walk; its frames are still live.</param>
    /// <param name="site">The call site.</param>
    /// <param name="asks">The words beside the addresses that tell this stack from others, in the order of the frames; all within the walk.</param>
    /// <param name="number">The stack.</param>
    internal void Add(StackWalk* walk, uint site, ReadOnlySpan<StackWord> asks, uint number)
    {
        _gate.Enter();
        uint place = FindKey(walk, site);
        if (place == 0)
        {
            uint made = NewKey(walk->Hash, site | ((ulong)(uint)walk->Count << 32), Answer(asks, number), number, new ReadOnlySpan<ulong>(walk->Addresses, walk->Count));
            place = made;
        }

        // A step down for each word that is asked for on the way; a step that is not there yet is made, and asks for our next word.
        while (place != 0 && (uint)_word[place + 2] == 0)
        {
            StackWord asked = new(_word[place + 2]);
            if (!asked.TryRead(walk, out ulong word))
            {
                break;
            }

            while (!asks.IsEmpty && asks[0].CompareTo(asked) <= 0)
            {
                asks = asks[1..];
            }

            uint child = FindChild(place, word);
            place = child != 0 ? child : NewKey(ChildHash(place, word), place | ((ulong)ChildCount << 32), Answer(asks, number), number, [word]);
        }

        _gate.Exit();
    }

    /// <summary>The call site of a stack; 0 for a number never given out.</summary>
    internal uint SiteOf(uint number) => Find(number) is var stack && stack != null ? (uint)stack[0] : 0;

    /// <summary>The numbers of a stack's frames; false for a number never given out. The span stays good.</summary>
    internal bool TryGet(uint number, out ReadOnlySpan<uint> frames, out bool isPartial)
    {
        ulong* stack = Find(number);
        uint count = stack == null ? 0 : (uint)(stack[0] >> 32);
        isPartial = (count & PartialBit) != 0;
        frames = stack == null ? default : new ReadOnlySpan<uint>(stack + StackWords, (int)(count & ~PartialBit));
        return stack != null;
    }

    /// <summary>Gives the memory back: only tests' stores end.</summary>
    public void Dispose()
    {
        _words.Dispose();
        _slots.Dispose();
        _stacks.Dispose();
        _texts.Dispose();
    }

    /// <summary>Throws unless the equations of this type hold. Only while nobody adds.</summary>
    internal void Verify()
    {
        uint taken = 0;
        for (uint slot = 0; slot <= _slotMask; slot++)
        {
            ulong entry = _slot[slot];
            uint place = (uint)entry;
            taken += entry != 0 ? 1u : 0;
            Invariant.Holds(entry == 0 || (place < _used && _word[place] >> 32 == entry >> 32), "slot {0} leads to a key of its hash", slot);
            Invariant.Holds(entry == 0 || (uint)_word[place + 2] <= Count, "the key of slot {0} leads to a stack", slot);
        }

        Invariant.Holds(taken == _keys && taken <= (_slotMask + 1) / 2, "{0} slots are taken: as many as keys, at most half", taken);
        Invariant.Holds(_used <= _words.Capacity, "{0} words are in use, no more than there are", _used);
        for (uint number = 1; number <= Count; number++)
        {
            Invariant.Holds(TryGet(number, out ReadOnlySpan<uint> frames, out bool partial) && FindText(Find(number)[1], SiteOf(number), frames, partial, out _) == number, "stack {0} is found by its text", number);
        }
    }

    private static void Ensure<T>(NativeMap<T> map, nuint count)
        where T : unmanaged
    {
        if (!map.TryEnsure(0, count, out RegionFailure failure))
        {
            throw new InsufficientMemoryException($"No memory for the table of stacks: {failure}.");
        }
    }

    private static ulong Answer(ReadOnlySpan<StackWord> asks, uint number) => asks.IsEmpty ? number : asks[0].Answer;

    private static ulong ChildHash(uint parent, ulong word) => StackWalk.Mix(word, parent + 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint FindKey(StackWalk* walk, uint site)
    {
        ulong hash = walk->Hash;
        ulong head = site | ((ulong)(uint)walk->Count << 32);
        for (uint slot = (uint)hash & _slotMask; ; slot = (slot + 1) & _slotMask)
        {
            // Happens before: a record is complete before the release that writes its slot.
            ulong entry = Atomic.LoadAcquire(ref _slot[slot]);
            ulong* key = _word + (uint)entry;
            if (entry >> 32 == hash >> 32 && key[0] == hash && key[1] == head
                && new ReadOnlySpan<ulong>(key + KeyWords, walk->Count).SequenceEqual(new ReadOnlySpan<ulong>(walk->Addresses, walk->Count)))
            {
                return (uint)entry;
            }

            if (entry == 0)
            {
                return 0;
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint Descend(uint place, StackWalk* walk)
    {
        while (place != 0)
        {
            ulong answer = _word[place + 2];
            if ((uint)answer != 0)
            {
                return (uint)answer;
            }

            place = new StackWord(answer).TryRead(walk, out ulong word) ? FindChild(place, word) : 0;
        }

        return 0;
    }

    private uint FindChild(uint parent, ulong word)
    {
        ulong hash = ChildHash(parent, word);
        for (uint slot = (uint)hash & _slotMask; ; slot = (slot + 1) & _slotMask)
        {
            // Happens before: as in FindKey.
            ulong entry = Atomic.LoadAcquire(ref _slot[slot]);
            ulong* key = _word + (uint)entry;
            if (entry >> 32 == hash >> 32 && key[0] == hash && key[1] == (parent | ((ulong)ChildCount << 32)) && key[KeyWords] == word)
            {
                return (uint)entry;
            }

            if (entry == 0)
            {
                return 0;
            }
        }
    }

    // Under the gate. 0 if there is no room, or the stack has all the keys that it may have.
    private uint NewKey(ulong hash, ulong head, ulong answer, uint number, ReadOnlySpan<ulong> words)
    {
        ref uint keys = ref *(uint*)(Find(number) + 2);
        if (keys >= MaximumKeysPerStack && !IsSeenAgain(hash, keys))
        {
            return 0;
        }

        uint place = _used;
        if (_keys >= (_slotMask + 1) / 2 || !Room((uint)(KeyWords + words.Length)))
        {
            Drop();
            return 0;
        }

        ulong* key = _word + place;
        key[0] = hash;
        key[1] = head;
        key[2] = answer;
        words.CopyTo(new Span<ulong>(key + KeyWords, words.Length));
        Atomic.StoreRelease(ref _used, place + (uint)(KeyWords + words.Length));
        keys++;
        uint slot = (uint)hash & _slotMask;
        while (_slot[slot] != 0)
        {
            slot = (slot + 1) & _slotMask;
        }

        // Happens before: the record is complete before its slot can be seen.
        Atomic.StoreRelease(ref _slot[slot], (hash & 0xFFFF_FFFF_0000_0000) | place);
        Atomic.StoreRelease(ref _keys, _keys + 1);
        return place;
    }

    // Under the gate. What never comes again must not fill the table; what does, be it the last of many (a deep recursion whose methods are compiled anew passes through a
    // hundred keys on its way), must get in.
    private bool IsSeenAgain(ulong hash, uint keys)
    {
        ref uint seen = ref _seen[hash % SeenSlots];
        bool again = seen == (uint)(hash >> 32) && keys < UtmostKeysPerStack;
        seen = (uint)(hash >> 32);
        _unstable += again ? 0 : 1;
        return again;
    }

    private bool Room(uint words) => _used + words <= _words.Capacity && _words.TryEnsure(_used, words, out _);

    private uint FindText(ulong hash, uint site, ReadOnlySpan<uint> frames, bool isPartial, out uint slot)
    {
        for (slot = (uint)hash & _textMask; ; slot = (slot + 1) & _textMask)
        {
            uint number = _texts.Base[slot];
            if (number == 0)
            {
                return 0;
            }

            ulong* stack = _word + _stacks.Base[number];
            if (stack[1] == hash && (uint)stack[0] == site && TryGet(number, out ReadOnlySpan<uint> known, out bool partial)
                && partial == isPartial && known.SequenceEqual(frames))
            {
                return number;
            }
        }
    }

    private ulong* Find(uint number) => number == 0 || number > (uint)Count ? null : _word + _stacks.Base[number];

    private ref int Published(uint number) => ref ((int*)(Find(number) + 2))[1];
}
