using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>The names of threads, as the text has them: of one that changed, the last.</summary>
internal sealed unsafe class TextComms
{
    private readonly Dictionary<int, byte[]> _bytes = [];
    private readonly Dictionary<int, string> _names = [];
    private int _lastPid = int.MinValue;
    private byte[] _last = [];

    internal IReadOnlyDictionary<int, string> All => _names;

    internal string? Of(int pid) => _names.GetValueOrDefault(pid);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void See(int pid, byte* name, int length)
    {
        ReadOnlySpan<byte> seen = new(name, length);
        if (pid == _lastPid && seen.SequenceEqual(_last))
        {
            return;
        }

        if (seen.SequenceEqual("<...>"u8) || seen.SequenceEqual(":-1"u8))
        {
            return;
        }

        if (!_bytes.TryGetValue(pid, out byte[]? known) || !seen.SequenceEqual(known))
        {
            known = seen.ToArray();
            _bytes[pid] = known;
            _names[pid] = TextNames.StringOf(seen);
        }

        _lastPid = pid;
        _last = known;
    }
}
