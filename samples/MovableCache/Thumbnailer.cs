namespace Quire.Samples.MovableCache;

/// <summary>Somebody who pins a cached value that lies in the area, and forgets to let go: the bug that the table of holders finds.</summary>
internal sealed class Thumbnailer : IDisposable
{
    private readonly PageCache _cache;
    private readonly ContiguousArea _area;
    private readonly ManualResetEventSlim _hasPinned = new();
    private readonly ManualResetEventSlim _mayGo = new();
    private readonly Thread _thread;

    internal Thumbnailer(PageCache cache, ContiguousArea area)
    {
        (_cache, _area) = (cache, area);
        _thread = new Thread(Draw) { Name = "thumbnailer", IsBackground = true };
        _thread.Start();
        _hasPinned.Wait();
    }

    internal void LetGo()
    {
        _mayGo.Set();
        _thread.Join();
    }

    public void Dispose()
    {
        LetGo();
        _hasPinned.Dispose();
        _mayGo.Dispose();
    }

    private void Draw()
    {
        for (long key = 0; ; key = (key + 1) % 1000)
        {
            if (!_cache.TryPin(key, out CachePin pin))
            {
                continue;
            }

            // A pin of a page elsewhere is in nobody's way.
            if (pin.Frame - _area.FirstFrame < _area.Pages)
            {
                _hasPinned.Set();
                _mayGo.Wait();
                pin.Dispose();
                return;
            }

            pin.Dispose();
        }
    }
}
