namespace Quire.Samples.UdpRelay;

/// <summary>The receive rings of the relay: how they are made, and those of the threads that read replies, as many as ever read at once.</summary>
/// <remarks>
/// <para>
/// How long a datagram is shows only when it has arrived, so a receive needs room for 65,535 bytes, and nothing that a client sends may be cut; a datagram that waits, on the other hand, should hold what
/// it is long. A packed ring does both without a copy: a datagram lands behind the one before it, in a page of 512 KiB, and takes its length rounded up to 64 bytes. Only the last 64 KiB of a page are not landed in.
/// When nothing waits any more, the next one lands at the front again, where the cache is warm.
/// </para>
/// <para>
/// Rejected: halves of 64 KiB, as network cards have them for frames of one size (a queue of DNS messages would hold a thousand times its content); a landing of 64 KiB and a copy of each datagram
/// into a fragment of its size (what this relay did before: some 10 ns for a DNS message, 2 µs for the longest); asking for the length first with a peek (a system call costs more than the copy).
/// What it costs: one datagram that waits long keeps its whole page. The queues are first in, first out, so pages come back in the order they were filled.
/// </para>
/// <para>
/// Thread-safe. Sessions wait without memory; only one that has something to read rents a ring. Which threads those are is the thread pool's business, so a ring goes from one to the next through this
/// lock, which is also what makes it see one owner at a time.
/// Equation: rings made == rings idle + rings rented.
/// </para>
/// </remarks>
internal sealed class ReceiveRings(PageAllocator allocator) : IDisposable
{
    /// <summary>The order of the rings' pages: 512 KiB.</summary>
    internal const int Order = 7;

    /// <summary>Pages that the ring of the listening socket keeps to be used again.</summary>
    private const int SlotsForClients = 4;

    /// <summary>The same of each ring that replies are read with; there may be several.</summary>
    private const int SlotsForReplies = 2;

    private readonly Lock _gate = new();
    private readonly Stack<PacketReceiveRing> _idle = new();
    private int _rented;

    /// <summary>The ring of the listening socket.</summary>
    /// <exception cref="PageAllocationException">There is no memory for a page.</exception>
    internal static PacketReceiveRing ForClients(PageAllocator allocator) => Make(allocator, SlotsForClients);

    /// <summary>An idle ring or a new one; false when the memory limit does not allow another.</summary>
    internal bool TryRent(out PacketReceiveRing? ring)
    {
        lock (_gate)
        {
            if (!_idle.TryPop(out ring))
            {
                try
                {
                    ring = Make(allocator, SlotsForReplies);
                }
                catch (PageAllocationException)
                {
                    return false;
                }
            }

            _rented++;
            return true;
        }
    }

    internal void Return(PacketReceiveRing ring)
    {
        lock (_gate)
        {
            _rented--;
            _idle.Push(ring);
        }
    }

    /// <summary>Gives the memory of all rings back, but for what waits in queues; none may be rented.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_rented != 0)
            {
                throw new InvalidOperationException($"{_rented} ring(s) are still in use.");
            }

            while (_idle.TryPop(out PacketReceiveRing? ring))
            {
                ring.Dispose();
            }
        }
    }

    /// <summary>The relay puts no headers before what it relays: no head room.</summary>
    private static PacketReceiveRing Make(PageAllocator allocator, int slots) => new(new PacketReceiveRingOptions
    {
        Allocator = allocator,
        Slots = slots,
        Order = Order,
        HeadRoom = 0,
        Layout = ReceiveLayout.Packed,
    });
}
