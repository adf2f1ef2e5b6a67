using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// Receives frames into pages that are used again and again while nobody else holds them, and hands each frame on as a packet built around it:
/// no byte is copied, no atomic is paid for a reference (the receive path of the kernel's igb driver).
/// </summary>
/// <remarks>
/// <code>
///   slot 0             slot 1             slot 2  &lt;- current        Halves: one page a slot, two frames a page
///   +------+------+    +------+------+    +------+------+
///   | out  | next |    | next | back |    | HERE | back |           count == bias + packets out
///   +------+------+    +------+------+    +------+------+
///
///   slot 0 &lt;- current                        slot 1                  Packed: frames behind each other
///   +----+--+-------+---+- - - - - - - +     +--------------+
///   | p1 |p2|  p3   |p4 | HERE         |     | next         |
///   +----+--+-------+---+- - - - - - - +     +--------------+
/// </code>
/// <para>
/// <b>References.</b> A page enters with 65,535 references at once, the bias. A packet takes one of them, without an atomic; whoever disposes it drops it from the page,
/// wherever that is. So <c>count == bias</c> says that every packet of the page has come back. When a slot's other half (or, packed, the next
/// slot's page) is not back yet, the page is drained, that is all that is left of its bias is dropped at once, and another one taken; the last packet then frees the old one. The bias
/// is topped up when it runs low.
/// </para>
/// <para>
/// <b>Out of memory.</b> A frame is handed on only if there is a place for the next one: <see cref="TryTake"/> answers false otherwise, the frame is lost, and its buffer is
/// used for the next, as a driver does. So there always is a <see cref="Buffer"/>.
/// </para>
/// <para>
/// <b>Frames that are too long.</b> A receive takes one buffer, so what is longer than <see cref="LargestFrame"/> would be cut by the system. Choose the order (halves) or
/// <see cref="PacketReceiveRingOptions.LargestFrame"/> (packed) by what can come; <see cref="PacketReceiveRingOptions.ForDatagrams"/> has room for every UDP datagram.
/// </para>
/// <para>
/// <b>Threads.</b> One owner at a time: a thread, or whoever holds a lock. Packets are disposed by anyone on any thread, also after the ring. <see cref="GetStatistics"/> may be called on any.
/// </para>
/// </remarks>
public sealed unsafe partial class PacketReceiveRing : IDisposable, IBiasOwner
{
    /// <summary>The references that a page enters with (igb's <c>USHRT_MAX</c>).</summary>
    internal const int FullBias = ushort.MaxValue;

    /// <summary>Frames begin at multiples of this many bytes (less the head room), so that no two packets share a cache line.</summary>
    private const int Alignment = 64;

    private readonly PageAllocator _allocator;
    private readonly BufferManager _memory;
    private readonly Slot[] _slots;
    private readonly int _order;
    private readonly int _headRoom;
    private readonly int _size;
    private readonly bool _packed;
    private ushort _id;
    private int _threadId;
    private int _current;

    /// <summary>The buffer was asked for, so a receive may be writing to it: it stays where it is.</summary>
    private bool _isOut;
    private bool _disposed;
    private long _frames;
    private long _bytes;
    private long _flipped;
    private long _restarted;
    private long _replaced;
    private long _failures;
    private PageBugException? _wrong;

    /// <summary>Makes a ring and takes its first page.</summary>
    /// <exception cref="ArgumentException">An option is none; the message says which.</exception>
    /// <exception cref="PageAllocationException">There is no memory for a page.</exception>
    public PacketReceiveRing(PacketReceiveRingOptions? options = null)
    {
        options ??= new PacketReceiveRingOptions();
        LargestFrame = options.Validated();
        _allocator = options.Allocator;
        _order = options.Order;
        _headRoom = options.HeadRoom;
        _packed = options.Layout == ReceiveLayout.Packed;
        _size = PageMap.FrameSize << options.Order;
        _slots = new Slot[options.Slots];
        _memory = new BufferManager(this);
        _id = PageOwners.Biases.Enroll(this);
        AllocationFailure failure;
        bool isFilled = false;
        try
        {
            isFilled = TryFill(ref _slots[0], origin: 0, out failure);
        }
        finally
        {
            if (!isFilled)
            {
                PageOwners.Biases.Depart(_id);
            }
        }

        if (!isFilled)
        {
            throw PageAllocationException.For(failure, $"No page of order {_order} for a receive ring from allocator '{_allocator.Name}': {failure}.");
        }
    }

    /// <summary>The longest frame that fits, in bytes.</summary>
    public int LargestFrame { get; }

    /// <summary>Where the next frame is to be received: <see cref="LargestFrame"/> bytes that are the ring's alone. The same until <see cref="TryTake"/>.</summary>
    /// <exception cref="ObjectDisposedException">The ring was disposed.</exception>
    public Span<byte> Buffer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            ref Slot slot = ref _slots[_current];
            if (!_isOut)
            {
                _isOut = true;
                if (_packed && slot.Offset != 0 && slot.IsAlone)
                {
                    // Whoever is served at once finds the page's first lines still in the cache.
                    Restart(ref slot);
                }
            }

            return new Span<byte>(slot.Page->Address + slot.Offset + _headRoom, LargestFrame);
        }
    }

    /// <summary>The same as memory, for a receive that is awaited. No <see cref="TryTake"/> and no dispose while it is under way.</summary>
    /// <exception cref="ObjectDisposedException">The ring was disposed.</exception>
    public Memory<byte> BufferMemory
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _memory.Memory;
        }
    }

    /// <summary>Hands on the frame that was received into <see cref="Buffer"/> (<c>build_skb</c> around it).</summary>
    /// <param name="length">How many bytes arrived, 0 to <see cref="LargestFrame"/>.</param>
    /// <param name="packet">The frame; the caller's to dispose, on any thread.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>False where there is no memory to receive the next frame into: this one is lost, and counted as a failure.</returns>
    /// <exception cref="ArgumentOutOfRangeException">More bytes than the buffer has.</exception>
    /// <exception cref="ObjectDisposedException">The ring was disposed.</exception>
    public bool TryTake(int length, out PacketBuffer packet, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)LargestFrame, nameof(length));
        uint origin = Tracking.Active ? Origin.Here(file, line, member) : 0;
        _isOut = false;
        bool taken = _packed ? TryTakePacked(length, out packet, origin) : TryTakeHalf(length, out packet, origin);
        if (taken)
        {
            _frames++;
            _bytes += length;
        }
        else
        {
            _failures++;
        }

        return taken;
    }

    /// <summary>Receives one datagram, waiting for it as the socket does, and hands it on.</summary>
    /// <param name="socket">A datagram socket that is bound.</param>
    /// <param name="from">Becomes the sender's address; written over by the next receive.</param>
    /// <param name="packet">The datagram; the caller's to dispose, on any thread.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>False where there was no memory: the datagram is lost.</returns>
    /// <exception cref="SocketException">The receive failed; the ring is as it was.</exception>
    /// <exception cref="ObjectDisposedException">The ring or the socket was disposed.</exception>
    public bool TryReceiveFrom(Socket socket, SocketAddress from, out PacketBuffer packet, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ArgumentNullException.ThrowIfNull(socket);
        return TryTake(socket.ReceiveFrom(Buffer, SocketFlags.None, from), out packet, file, line, member);
    }

    /// <summary>What the ring has done so far. Any thread; while the owner works, each number is right as of some moment.</summary>
    public PacketReceiveRingStatistics GetStatistics() => new()
    {
        Frames = Volatile.Read(ref _frames),
        Bytes = Volatile.Read(ref _bytes),
        Flipped = Volatile.Read(ref _flipped),
        Restarted = Volatile.Read(ref _restarted),
        Replaced = Volatile.Read(ref _replaced),
        Failures = Volatile.Read(ref _failures),
        Pages = PagesNow(),
    };

    /// <summary>Drains every page but the current one, for a ring that has nothing to do for a while. Packets live on.</summary>
    /// <returns>How many pages the ring let go.</returns>
    /// <exception cref="ObjectDisposedException">The ring was disposed.</exception>
    public int Trim()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int before = PagesNow();
        for (int i = 0; i < _slots.Length; i++)
        {
            if (i != _current)
            {
                Empty(ref _slots[i]);
            }
        }

        return before - PagesNow();
    }

    /// <summary>Drains every page of what is left of its bias. Packets live on; the last of each page frees it. No receive may be under way.</summary>
    /// <exception cref="PageBugException">A page had fewer references than the ring: a packet's was dropped twice. The page is kept out of use; all others are drained.</exception>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        foreach (ref Slot slot in _slots.AsSpan())
        {
            Empty(ref slot);
        }

        PageOwners.Biases.Depart(_id);
        if (_wrong is not null)
        {
            throw _wrong;
        }
    }

    private int PagesNow()
    {
        int pages = 0;
        foreach (ref Slot slot in _slots.AsSpan())
        {
            pages += Atomic.LoadAcquire(ref slot.Identity) != 0 ? 1 : 0;
        }

        return pages;
    }

    int IBiasOwner.ThreadId => _threadId;

    CallSite IBiasOwner.Name => new("PacketReceiveRing", 0, "reserve of a receive ring");

    int IBiasOwner.BiasOn(PageDescriptor* head)
    {
        foreach (ref Slot slot in _slots.AsSpan())
        {
            // Read while the owner works: right as of some moment, like everything that is said of a live page.
            int bias = Atomic.LoadAcquire(ref slot.Bias);
            if (Atomic.LoadAcquire(ref slot.Identity) == head->Identity)
            {
                return bias;
            }
        }

        return 0;
    }

    /// <summary>Checks the equations; the owner's to call. Packets may be disposed meanwhile.</summary>
    internal void Verify()
    {
        foreach (Slot slot in _slots)
        {
            if (slot.Identity != 0)
            {
                Invariant.Holds(slot.Page->Identity == slot.Identity, "a slot's page, 0x{0:x}, is another by now", PageIdentity.Frame(slot.Identity));
                Invariant.Holds(slot.Bias is > 0 and <= FullBias && slot.Bias <= PageRef.Count(slot.Page), "the bias of a receive ring on page 0x{0:x} is not within its count", slot.Page->Frame);
                Invariant.Holds(_packed ? slot.Offset <= _size : slot.Offset == 0 || slot.Offset == _size / 2, "a slot's offset is {0}", (ulong)slot.Offset);
            }
        }

        Invariant.Holds(_slots[_current].Identity != 0 && _slots[_current].Offset + _headRoom + LargestFrame <= _size, "the current slot, {0}, has no room for a frame", (ulong)_current);
    }
}
