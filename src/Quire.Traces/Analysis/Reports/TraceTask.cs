namespace Quire.Traces.Analysis;

/// <summary>A thread (a task, as the kernel says).</summary>
/// <param name="Comm">Its name; <c>&lt;...&gt;</c> where unknown.</param>
/// <param name="Pid">The system's number of it; 0 where unknown.</param>
public sealed record TraceTask(string Comm, int Pid)
{
    /// <summary>What a kernel's idle threads are called; there is one a CPU, all of number 0.</summary>
    internal const string Idle = "<idle>";

    /// <summary><c>name-1234</c>, as ftrace writes it.</summary>
    public override string ToString() => Pid == 0 && Comm != Idle ? "unknown thread" : $"{Comm}-{Pid}";
}
