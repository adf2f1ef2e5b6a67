using System.Runtime.InteropServices;

namespace Quire.Benchmarks.Peers;

/// <summary>Why a native peer takes no part.</summary>
internal sealed record AbsentPeer(string Name, string Reason);

/// <summary>The native peers that this machine has, and those it has not, each with the reason: none is left out silently.</summary>
internal sealed class NativeAllocators
{
    private readonly List<NativeAllocator> _present = [];
    private readonly List<AbsentPeer> _absent = [];

    private NativeAllocators()
    {
    }

    /// <summary>For commands that have no native peers.</summary>
    public static NativeAllocators None { get; } = new();

    public IReadOnlyList<NativeAllocator> Present => _present;

    public IReadOnlyList<AbsentPeer> Absent => _absent;

    /// <summary>
    /// A library was found, but the C library has too little room for its thread-local variables. That room is set when a process
    /// starts, so only a restart helps (<see cref="Restart"/>).
    /// </summary>
    public bool NeedsMoreStaticTls { get; private set; }

    public static NativeAllocators Load()
    {
        NativeAllocators all = new();
        all.TryAdd("mimalloc", NativeAllocator.Mimalloc, "Debian: libmimalloc2.0", "libmimalloc.so.2", "libmimalloc.so.3", "libmimalloc.so");
        all.TryAdd("tcmalloc", NativeAllocator.Tcmalloc, "Debian: libtcmalloc-minimal4", "libtcmalloc_minimal.so.4", "libtcmalloc.so.4");
        all.TryAdd("jemalloc", NativeAllocator.Jemalloc, "Debian: libjemalloc2", "libjemalloc.so.2", "libjemalloc.so.1");
        return all;
    }

    public NativeAllocator? Find(string name) => _present.Find(allocator => allocator.Name == name);

    private void TryAdd(string name, Func<nint, NativeAllocator> bind, string package, params ReadOnlySpan<string> files)
    {
        string reason = "no library";
        foreach (string file in files)
        {
            try
            {
                _present.Add(bind(NativeLibrary.Load(file)));
                return;
            }
            catch (DllNotFoundException failure)
            {
                // The loader's text names several places that it tried; only this one says that the library is there.
                if (failure.Message.Contains("static TLS", StringComparison.Ordinal))
                {
                    NeedsMoreStaticTls = true;
                    _absent.Add(new AbsentPeer(name, $"{file} does not fit into the process's static TLS; start with {Restart.Setting}"));
                    return;
                }

                reason = $"none of {string.Join(", ", files!)} can be loaded ({package})";
            }
            catch (EntryPointNotFoundException failure)
            {
                reason = $"{file}: {failure.Message}";
            }
        }

        _absent.Add(new AbsentPeer(name, reason));
    }
}
