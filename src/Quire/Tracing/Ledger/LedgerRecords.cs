using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>The records' memory, and the pool of free ones that are in no thread's ring.</summary>
/// <remarks>
/// Equation: <c>Carved == pooled + those in rings + those live</c>. Records are addressed by index through a table of chunks,
/// which are never moved or given back, so a ticket, however old, always leads to readable memory.
/// <para>
/// Records belong to no thread. Whoever releases one keeps it in the own ring; a full ring hands half to this pool, an empty one takes a
/// batch. The alternative, lists that send each record home to the thread that took it, was rejected: it costs a second atomic
/// at each remote release, it leaves a dead thread's records to be hunted for, and a thread that took a million and then
/// idles would sit on them. A batch costs one short lock in 128 takes.
/// What it costs: up to <see cref="LedgerRing.Capacity"/> free records stay with each thread, so a ledger near its limit may
/// refuse one thread while another has some to spare. The pool is a stack, so that after a burst the records in use stay those
/// whose cache lines are warm; the rings are queues, which is what keeps the memory of the last releases.
/// </para>
/// </remarks>
internal sealed unsafe class LedgerRecords : IDisposable
{
    internal const uint MaximumRecords = LedgerState.IndexMask + 1;
    internal const uint Batch = 128;
    private const int ChunkBits = 14;
    private const uint ChunkRecords = 1u << ChunkBits;
    private const uint ChunkMask = ChunkRecords - 1;
    private const uint MaximumChunks = MaximumRecords >> ChunkBits;

    private readonly ulong* _chunks;    // addresses; ulong, so that the seam's loads apply
    private readonly void*[] _blocks = new void*[MaximumChunks];
    private SpinGate _gate;             // guards all that follows
    private uint _chunkCount;
    private uint _carved;
    private uint* _pool;
    private uint _pooled;
    private uint _poolCapacity;         // at least _chunkCount * ChunkRecords, so that a spill always finds room

    internal LedgerRecords()
    {
        _chunks = (ulong*)NativeMemory.AllocZeroed(MaximumChunks, sizeof(ulong));
        Limit = MaximumRecords;
    }

    /// <summary>How many records there may be; lowering it only stops growth.</summary>
    internal uint Limit { get; set; }

    /// <summary>Records that have ever been in use: their indices are below this.</summary>
    internal uint Carved => Atomic.LoadAcquire(ref _carved);

    /// <summary>Bytes of the machine's memory set aside for records.</summary>
    internal long Bytes => (long)Atomic.LoadAcquire(ref _chunkCount) * ChunkRecords * LedgerRecord.Size;

    /// <summary>The record of an index that was given out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal LedgerRecord* At(uint index) => (LedgerRecord*)_chunks[index >> ChunkBits] + (index & ChunkMask);

    /// <summary>The record of any index, also one out of a torn or invented ticket; null if there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal LedgerRecord* Find(uint index)
    {
        LedgerRecord* chunk = (LedgerRecord*)_chunks[index >> ChunkBits];
        return chunk == null ? null : chunk + (index & ChunkMask);
    }

    /// <summary>Puts free records into an empty ring. False: the limit is reached, or memory is out.</summary>
    internal bool Refill(LedgerRing* ring)
    {
        while (true)
        {
            uint tail = ring->Tail;
            uint count = 0;

            // Happens before: the gate orders the releases of these records, made by whoever pooled them, before their takes here.
            _gate.Enter();
            while (count < Batch && _pooled > 0)
            {
                ring->Slots[(tail + count++) & LedgerRing.SlotMask] = _pool[--_pooled];
            }

            uint end = Math.Min(_chunkCount * ChunkRecords, Limit);
            uint carved = _carved;
            while (count < Batch && carved < end)
            {
                ring->Slots[(tail + count++) & LedgerRing.SlotMask] = carved++;
            }

            Atomic.StoreRelease(ref _carved, carved);
            uint chunks = _chunkCount;
            _gate.Exit();

            ring->Tail = tail + count;
            if (count > 0)
            {
                return true;
            }

            if (carved >= Limit || !Grow(chunks))
            {
                return false;
            }
        }
    }

    /// <summary>
    /// Takes the <paramref name="count"/> oldest records of a ring into the pool. By the ring's owner, or of a dead one's ring.
    /// </summary>
    internal void Spill(LedgerRing* ring, uint count)
    {
        uint head = ring->Head;

        // Happens before: as in Refill; the gate's exit publishes the releases of these records.
        _gate.Enter();
        for (uint i = 0; i < count; i++)
        {
            _pool[_pooled++] = ring->Slots[(head + i) & LedgerRing.SlotMask];
        }

        _gate.Exit();
        ring->Head = head + count;
    }

    /// <summary>Copies the pool, for checks.</summary>
    internal uint[] CopyPool()
    {
        while (true)
        {
            uint[] copy = new uint[Atomic.LoadAcquire(ref _pooled)];
            _gate.Enter();
            bool same = copy.Length == (int)_pooled;
            if (same)
            {
                new ReadOnlySpan<uint>(_pool, copy.Length).CopyTo(copy);
            }

            _gate.Exit();
            if (same)
            {
                return copy;
            }
        }
    }

    /// <summary>Gives the memory back. Only when nobody uses the ledger any more: only tests' ledgers end.</summary>
    public void Dispose()
    {
        foreach (void* block in _blocks)
        {
            NativeMemory.Free(block);
        }

        NativeMemory.Free(_pool);
        NativeMemory.Free(_chunks);
    }

    // Memory is asked for outside the gate, since the system may take its time; when another thread was faster, it is given back.
    private bool Grow(uint chunks)
    {
        if (chunks >= MaximumChunks)
        {
            return false;
        }

        void* block = null;
        uint* pool = null;
        uint capacity = 0;
        try
        {
            block = NativeMemory.AllocZeroed(((nuint)ChunkRecords * LedgerRecord.Size) + 64);
            if ((chunks + 1) * ChunkRecords > Atomic.LoadAcquire(ref _poolCapacity))
            {
                capacity = (uint)System.Numerics.BitOperations.RoundUpToPowerOf2((chunks + 1) * ChunkRecords);
                pool = (uint*)NativeMemory.Alloc(capacity, sizeof(uint));
            }
        }
        catch (OutOfMemoryException)
        {
            NativeMemory.Free(block);
            return false;
        }

        _gate.Enter();
        if (_chunkCount == chunks)
        {
            if (pool != null)
            {
                new ReadOnlySpan<uint>(_pool, (int)_pooled).CopyTo(new Span<uint>(pool, (int)capacity));
                uint* smaller = _pool;
                _pool = pool;
                pool = smaller;
                _poolCapacity = capacity;
            }

            _blocks[chunks] = block;

            // Happens before: the chunk is zeroed before its address can be seen.
            Atomic.StoreRelease(ref _chunks[chunks], ((ulong)(nuint)block + 63) & ~63ul);
            _chunkCount = chunks + 1;
            block = null;
        }

        _gate.Exit();
        NativeMemory.Free(block);
        NativeMemory.Free(pool);
        return true;
    }
}
