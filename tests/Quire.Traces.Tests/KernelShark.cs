using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>
/// KernelShark's own loader (libkshark), which its window is built on: every entry that it would draw. That the window opens too shows nothing more: it stays
/// open with a broken file as with a good one.
/// </summary>
internal static unsafe class KernelShark
{
    private const int NotThere = -1;
    private const short LossEvent = -75; // -EOVERFLOW

    internal static void SkipWhereMissing()
    {
        bool isThere = NativeLibrary.TryLoad("libkshark.so.2", out nint library);
        if (isThere)
        {
            NativeLibrary.Free(library);
        }

        Assert.SkipWhen(!isThere, "libkshark.so.2 is not installed (Debian: kernelshark)");
    }

    internal static List<Entry> Load(string file)
    {
        nint library = NativeLibrary.Load("libkshark.so.2");
        var instance = (delegate* unmanaged<nint*, byte>)NativeLibrary.GetExport(library, "kshark_instance");
        var open = (delegate* unmanaged<nint, nint, int>)NativeLibrary.GetExport(library, "kshark_open");
        var load = (delegate* unmanaged<nint, int, nint**, nint>)NativeLibrary.GetExport(library, "kshark_load_entries");
        var close = (delegate* unmanaged<nint, int, int>)NativeLibrary.GetExport(library, "kshark_close");
        nint context = 0;
        Assert.Equal(1, instance(&context));
        nint path = Marshal.StringToCoTaskMemUTF8(file);
        int stream = open(context, path);
        Marshal.FreeCoTaskMem(path);
        Assert.True(stream > NotThere, $"KernelShark can't open {file}: {stream}");
        nint* rows = null;
        nint count = load(context, stream, &rows);
        Assert.True(count >= 0, $"KernelShark can't load {file}: {count}");
        List<Entry> entries = [];
        for (nint at = 0; at < count; at++)
        {
            entries.Add(*(Entry*)rows[at]);
        }

        Assert.Equal(0, close(context, stream));
        return entries;
    }

    /// <summary>An entry as libkshark 2 has it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Entry
    {
        internal nint Next;
        internal ushort Visible;
        internal short Stream;
        internal short EventId;
        internal short Cpu;
        internal int Pid;
        internal long OffsetOrMissed;
        internal long Time;

        internal readonly bool IsLoss => EventId == LossEvent;

        internal readonly long Missed => OffsetOrMissed;
    }
}
