using System.Buffers;

namespace Quire.AspNetCore;

/// <summary>A pool that its user may dispose, on memory that others use too.</summary>
/// <remarks>
/// Kestrel disposes each of its pools when it stops, while connections that it aborted may still have blocks. Those stay what they are, and go back to the pool
/// behind; only new ones are refused from then on.
/// </remarks>
internal sealed class LentMemoryPool(QuireMemoryPool pool) : MemoryPool<byte>
{
    private bool _disposed;

    public override int MaxBufferSize => pool.MaxBufferSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed), this);
        return ((MemoryPool<byte>)pool).Rent(minBufferSize);
    }

    protected override void Dispose(bool disposing) => Volatile.Write(ref _disposed, true);
}
