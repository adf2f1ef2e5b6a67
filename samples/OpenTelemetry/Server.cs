namespace Quire.Samples.OtlpExport;

/// <summary>Something to measure: a pool that requests rent from, payloads kept as fragments, and an area from which a device takes memory now and then.</summary>
internal sealed class Server : IDisposable
{
    private readonly QuireMemoryPool _pool = new(new QuireMemoryPoolOptions { Name = "requests", LimitBytes = 64 << 20 });
    private readonly PageAllocator _device = new(new PageAllocatorOptions { Name = "device", LimitBytes = 16 << 20 });
    private readonly ContiguousArea _area;
    private readonly Thread _thread;
    private bool _stop;

    internal Server()
    {
        _area = ContiguousArea.Reserve(_device, 4 << 20, "frames");
        _thread = new Thread(Serve) { Name = "server", IsBackground = true };
        _thread.Start();
    }

    public void Dispose()
    {
        Volatile.Write(ref _stop, true);
        _thread.Join();
        _pool.Dispose();
        _area.Dispose();
        _device.Dispose();
    }

    private void Serve()
    {
        using PageFragmentCache cache = new(_pool.Allocator);
        Queue<PageFragment> kept = [];
        MovablePage thumbnail = _area.AllocateMovable();
        for (int request = 0; !Volatile.Read(ref _stop); request++)
        {
            using (PageMemory buffer = _pool.Rent(2000))
            {
                buffer.Span.Fill((byte)request);
                kept.Enqueue(cache.Allocate(64));
            }

            if (kept.Count > 1000)
            {
                kept.Dequeue().Free();
            }

            if (request % 100 == 0)
            {
                _area.Release(_area.Allocate(_area.Pages));
            }

            Thread.Sleep(1);
        }

        thumbnail.Free();
        foreach (PageFragment fragment in kept)
        {
            fragment.Free();
        }
    }
}
