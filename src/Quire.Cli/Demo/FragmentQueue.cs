namespace Quire.Cli.Demo;

/// <summary>Fragments on their way from one thread to one other: a bounded ring that allocates nothing. The consumer owns what it takes.</summary>
internal sealed class FragmentQueue : IDisposable
{
    private readonly PageFragment[] _items = new PageFragment[1024];
    private readonly SemaphoreSlim _filled = new(0);
    private int _head;
    private int _tail;

    public void Dispose() => _filled.Dispose();

    /// <summary>False where the queue is full; the caller still owns the fragment.</summary>
    internal bool TryAdd(PageFragment fragment)
    {
        if (_tail - Volatile.Read(ref _head) == _items.Length)
        {
            return false;
        }

        _items[_tail % _items.Length] = fragment;
        Volatile.Write(ref _tail, _tail + 1);
        _filled.Release();
        return true;
    }

    /// <summary>Takes what is there, waiting a little for the first; 0 where nothing came.</summary>
    internal int Take(Span<PageFragment> fragments)
    {
        if (!_filled.Wait(20))
        {
            return 0;
        }

        int count = 1;
        while (count < fragments.Length && _filled.Wait(0))
        {
            count++;
        }

        for (int i = 0; i < count; i++)
        {
            fragments[i] = _items[(_head + i) % _items.Length];
        }

        Volatile.Write(ref _head, _head + count);
        return count;
    }
}
