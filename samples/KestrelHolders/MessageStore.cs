using System.Collections.Concurrent;

namespace Quire.Samples.KestrelHolders;

/// <summary>Messages by name. Owns one reference of each.</summary>
internal sealed class MessageStore(QuireMemoryPool pool) : IDisposable
{
    private readonly ConcurrentDictionary<string, PageMemory> _messages = [];
    private readonly Lock _gate = new();

    public QuireMemoryPool Pool => pool;

    /// <summary>Takes over the caller's reference; what had the name before is dropped.</summary>
    public void Keep(string name, PageMemory message)
    {
        // From here on the store answers for it, whoever received it.
        message.Touch();
        PageMemory? before;
        lock (_gate)
        {
            before = _messages.GetValueOrDefault(name);
            _messages[name] = message;
        }

        before?.Dispose();
    }

    /// <summary>Gives a reference of the caller's own.</summary>
    public bool TryGet(string name, out ReadOnlyPageMemory message)
    {
        // Under the lock: between finding a message and taking a reference nobody may drop it.
        lock (_gate)
        {
            bool found = _messages.TryGetValue(name, out PageMemory? kept);
            message = found ? kept!.AsReadOnly() : default;
            return found;
        }
    }

    public bool Drop(string name)
    {
        PageMemory? dropped;
        lock (_gate)
        {
            _messages.TryRemove(name, out dropped);
        }

        dropped?.Dispose();
        return dropped is not null;
    }

    public void Dispose()
    {
        foreach (string name in _messages.Keys)
        {
            Drop(name);
        }
    }
}
