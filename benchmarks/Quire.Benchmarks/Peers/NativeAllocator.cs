using System.Runtime.InteropServices;

namespace Quire.Benchmarks.Peers;

/// <summary>One allocator out of a shared library, called without a change of the GC's mode: a call costs what it costs in C.</summary>
/// <remarks>
/// <c>SuppressGCTransition</c> is more than a careful program may use for functions that can enter the kernel. It is used here because
/// it is the quickest that a native peer can be from C#.
/// </remarks>
internal sealed unsafe class NativeAllocator
{
    private NativeAllocator(string name, string version, nint allocate, nint free, nint allocateAligned)
    {
        Name = name;
        Version = version;
        Allocate = (delegate* unmanaged[SuppressGCTransition]<nuint, void*>)allocate;
        Free = (delegate* unmanaged[SuppressGCTransition]<void*, void>)free;
        AllocateAligned = (delegate* unmanaged[SuppressGCTransition]<nuint, nuint, void*>)allocateAligned;
    }

    public string Name { get; }

    public string Version { get; }

    public delegate* unmanaged[SuppressGCTransition]<nuint, void*> Allocate { get; }

    public delegate* unmanaged[SuppressGCTransition]<void*, void> Free { get; }

    /// <summary>Size first, alignment second; null where the allocator is not asked for it.</summary>
    public delegate* unmanaged[SuppressGCTransition]<nuint, nuint, void*> AllocateAligned { get; }

    public static NativeAllocator Mimalloc(nint library)
    {
        var version = (delegate* unmanaged<int>)NativeLibrary.GetExport(library, "mi_version");
        int number = version();
        return new NativeAllocator(
            "mimalloc",
            $"{number / 100}.{number / 10 % 10}.{number % 10}",
            NativeLibrary.GetExport(library, "mi_malloc"),
            NativeLibrary.GetExport(library, "mi_free"),
            NativeLibrary.GetExport(library, "mi_malloc_aligned"));
    }

    public static NativeAllocator Tcmalloc(nint library)
    {
        var version = (delegate* unmanaged<int*, int*, byte**, byte*>)NativeLibrary.GetExport(library, "tc_version");
        int major;
        int minor;
        byte* patch;
        version(&major, &minor, &patch);
        return new NativeAllocator(
            "tcmalloc",
            $"gperftools {major}.{minor}{Marshal.PtrToStringUTF8((nint)patch)}",
            NativeLibrary.GetExport(library, "tc_malloc"),
            NativeLibrary.GetExport(library, "tc_free"),
            0);
    }

    /// <summary>It exports the plain names; asked for by the library's handle, they are its own and not the C library's.</summary>
    public static NativeAllocator Jemalloc(nint library)
    {
        var control = (delegate* unmanaged<byte*, byte**, nuint*, void*, nuint, int>)NativeLibrary.GetExport(library, "mallctl");
        byte* text;
        nuint length = (nuint)sizeof(byte*);
        string version = "unknown";
        fixed (byte* name = "version\0"u8)
        {
            if (control(name, &text, &length, null, 0) == 0)
            {
                version = (Marshal.PtrToStringUTF8((nint)text) ?? version).Split('-')[0];
            }
        }

        return new NativeAllocator(
            "jemalloc",
            version,
            NativeLibrary.GetExport(library, "malloc"),
            NativeLibrary.GetExport(library, "free"),
            0);
    }
}
